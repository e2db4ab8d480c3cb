"""The error for a run folder, or a question about one, that a person can mend."""


class RunFolderError(ValueError):
    """No run folder, a broken or newer one, or a request that it cannot answer.

    One line that states the rule, the value received and the remedy. The command line prints it on
    standard error and exits with 2, without a traceback.
    """
