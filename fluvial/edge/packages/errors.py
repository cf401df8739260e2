"""What is wrong with a package, or with what a task wants of it."""


class PackageError(ValueError):
    """A package that cannot be used, is missing, or is another than the task's; the message says what to do."""
