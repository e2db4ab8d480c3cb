"""The command line: flags, exit codes, progress on standard error, signals.

Not here: any work of its own; each command calls the package that does it.
"""
