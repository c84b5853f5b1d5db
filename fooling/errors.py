"""The one error that a user sees as a line of text, and how every command shows it."""


class UserError(ValueError):
    """Bad input: says what was expected, what was got and what to do. Shown without a traceback, exit code 2."""
