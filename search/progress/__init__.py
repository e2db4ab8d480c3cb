"""What a person sees of a search while it runs: the live lines, a trial's steps, the time left.

Not here: the commands that show it (`search.cli`), what is recorded of it (`search.run`).
"""
