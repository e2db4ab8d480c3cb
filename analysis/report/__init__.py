"""The HTML report of a run: figures, tables, pictures and the page that holds them.

Not here: how its numbers come about (`statistics`, `leaderboard`).
"""
