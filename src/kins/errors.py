"""The one error that reaches a user."""


class KinsError(Exception):
    """Unusable input: a single line that says what is wrong, where (file and place in it), and what to do.

    The command line prints it and exits with 2; nothing else is raised on purpose for bad input.
    """
