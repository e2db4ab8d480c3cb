"""A run as it lies on disk or remote storage: files, rows, the trials table and its columns.

Not here: what follows from them (`statistics`, `leaderboard`); writing (`search.run`).
"""
