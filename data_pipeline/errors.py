"""The error for input that a person can mend."""


class InputError(ValueError):
    """Bad input or usage: one line that states the rule, the value received and the remedy.

    The command line prints it on standard error and exits with 2, without a traceback.
    """
