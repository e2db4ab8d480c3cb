"""What a person sees while a search runs or photos are coloured: live lines, logs, the time left.

Not here: the commands that show it (`search.cli`), what is recorded of it (`search.run`).
"""
