"""What is wrong with a package, or with what a task wants of it."""

FAULTS: tuple[type[BaseException], ...] = (Exception, SystemExit)
"""What code of a package raises when it is wrong. Of SystemExit too: a script that ends itself, when it is imported or
reads a command line that is not its own, must not end the process that runs it without a word."""


class PackageError(ValueError):
    """A package that cannot be used, is missing, or is another than the task's; the message says what to do."""


class LoaderFailed(ValueError):
    """A package's loader raised. absent: as one does that has nothing of this number, or finds no file."""

    def __init__(self, message: str, absent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent


def in_words(error: BaseException) -> str:
    """The error of a package's code for people: its kind, and what it says."""
    return f"{type(error).__name__}: {error}"
