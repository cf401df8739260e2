"""Where a participant's files lie when nobody says otherwise."""

from pathlib import Path

HOME = Path(".fluvial")


def key_path(name: str) -> Path:
    """The participant's private key. Raises ValueError for a name that is not a plain file name."""
    return HOME / "keys" / f"{_plain(name)}.pem"


def outbox_path(name: str) -> Path:
    """The participant's outbox. Raises ValueError for a name that is not a plain file name."""
    return HOME / "outbox" / f"{_plain(name)}.sqlite"


def _plain(name: str) -> str:
    if not name or name.startswith(".") or Path(name).name != name:
        raise ValueError(f"{name!r} cannot be the name of a file; name the files with --key and --outbox")
    return name
