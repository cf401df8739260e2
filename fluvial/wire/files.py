"""Files that are written as a whole or not at all.

Whoever writes in place empties the file first: where the write then fails (full disk, crash), the old content is gone
too. Here the content goes to a new file in the same folder, is forced to disk, and then takes the name.

Files of two kinds. What a person names as an output keeps its permissions and may be a link, a device or a pipe. What
is private is readable by its owner alone from the first byte on, and a link in its place is replaced, never followed:
somebody else may have laid it.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Numbers of the errors that go when somebody makes room, and not by trying another way."""
_PROBE_BYTES = 64 << 10
MAX_BYTES = 1 << 20
"""Of a file that a person writes or hands over."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def at_home(path: Path | str) -> Path:
    """The path, where a `~` begins it in the home folder: a shell writes that out in words of their own alone, neither
    in variables, nor behind `--option=`, nor in a program."""
    return Path(os.path.expanduser(path))


def read_text(path: Path) -> str:
    """The text of a file that a person wrote: UTF-8, with or without a byte order mark. Raises OSError, and ValueError
    as `read_bytes` and `text_of`."""
    return text_of(read_bytes(path))


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """What a file of people holds: keys, tokens, notes. Raises OSError, and ValueError for more than that many bytes:
    some devices have no end."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} has more than {most} bytes")
    return content


def check_regular(path: Path) -> None:
    """For what is read, and replaced later: whether what is there, if anything is, is a file. Raises ValueError for a
    folder, a device, a pipe or a socket, of which nothing can be read again."""
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        kind = next((name for is_one, name in _KINDS if is_one(mode)), "no file")
        raise ValueError(f"{path} is {kind}: name a file")


def text_of(content: bytes) -> str:
    """UTF-8, with or without a byte order mark. Raises ValueError that says what to do for another encoding."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise ValueError("it is in UTF-16, as Windows PowerShell writes: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not in UTF-8 (its byte {error.start + 1} cannot be): save it so") from error


def replace_file(path: Path, content: bytes | str) -> None:
    """Put the content (text as UTF-8) in the file's place; after a failure the old file is there. Raises OSError."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of this one when the block ends without an error.

    An output's link is followed, the permissions of a file that is there are kept; devices and pipes are written to as
    they are. private: see the module. Raises OSError.
    """
    mode = None if private else _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        try:
            with path.open("wb") as opened:
                yield opened
        except OSError as error:
            if error.errno is not None and error.filename is None:
                error.filename = str(path)
            raise
        return
    target = path if private else Path(os.path.realpath(path))
    with _written_beside(target, 0o600 if private else 0o666) as (file, temporary):
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        yield file
        _finish(file)
        temporary.replace(target)
    _sync_folder(target.parent)


def check_replaceable(path: Path) -> None:
    """Whether the file could be put in place now, for those who have it only after hours. Raises OSError."""
    if (mode := _mode(path)) is not None and not stat.S_ISREG(mode):
        path.open("wb").close()
        return
    with _written_beside(Path(os.path.realpath(path)), 0o600) as (file, _):
        file.write(bytes(_PROBE_BYTES))
        _finish(file)


def refusal(folder: Path) -> OSError | None:
    """What the folder says to a new file; None if it takes one."""
    try:
        check_replaceable(folder / "probe")
    except OSError as error:
        return error
    return None


def write_private(path: Path, content: bytes) -> None:
    """Put the content in the file's place, readable by its owner alone; folders are made. Raises OSError."""
    make_private_folder(path.parent)
    with replacing(path, private=True) as file:
        file.write(content)


def create_private(path: Path, content: bytes) -> None:
    """As `write_private`, for what must never be replaced. Raises FileExistsError."""
    make_private_folder(path.parent)
    with _written_beside(path, 0o600) as (file, temporary):
        file.write(content)
        _finish(file)
        _name(temporary, path)
    _sync_folder(path.parent)


def make_private_folder(path: Path) -> None:
    """Make the folder where it is missing, for its owner alone; one that is there keeps its permissions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _written_beside(path: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    if not path.name:  # it was left empty, or is the root
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(temporary, _FLAGS, mode), "wb") as file:
            yield file, temporary
    except OSError as error:
        # A full disk names no file, and nobody knows the temporary one.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()  # some systems rename no open file


def _name(temporary: Path, path: Path) -> None:
    """Give the file a name that nothing has: a hard link is the one step that does so and never replaces."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is taken first, empty for a moment
        os.close(os.open(path, _FLAGS, 0o600))
        temporary.replace(path)


def _sync_folder(path: Path) -> None:
    """The new name survives a power failure too, where the system lets folders be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
