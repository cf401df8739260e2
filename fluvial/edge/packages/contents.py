"""Which files of a folder are a task package, and the digest that a task pins.

The digest is SHA-256 over a domain line and, in the order of their names, each file's name (its path with slashes,
UTF-8 in Unicode's form NFC) with its length and the SHA-256 of its bytes. Not part of it: what only a process keeps
beside code (names that begin with a dot, `__pycache__`, bytecode), the task file, which is signed itself, and a folder
`data` at the top, for examples of participants.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from fluvial.edge.packages.errors import PackageError

MAX_FILES = 2_000
MAX_BYTES = 1 << 30

_LENGTH = struct.Struct(">I")
_TASK_FILES = frozenset({"task.yaml", "task.yml", "task.json"})
_PIECE = 1 << 20


def read_contents(folder: Path) -> dict[str, str]:
    """SHA-256, lower-case hexadecimal, of each file by its name within the package. Raises PackageError for what is no
    folder, for links and other things that are no files, and for a folder that is too large to be a package."""
    if not folder.is_dir():
        raise PackageError(f"there is no folder {folder}")
    found: dict[str, str] = {}
    total = 0
    try:
        for path, relative in _files(folder, ""):
            name = unicodedata.normalize("NFC", relative)
            if name in found:
                raise PackageError(f"the package {folder} has two files that are both called {name}")
            found[name], size = _digest_of(path)
            total += size
            if len(found) > MAX_FILES or total > MAX_BYTES:
                raise PackageError(
                    f"{folder} is too large for a package: at most {MAX_FILES} files with {MAX_BYTES} bytes; examples "
                    "of participants belong in its folder data/, which is not part of it"
                )
    except OSError as error:
        raise PackageError(f"the package {folder} cannot be read: {error}") from error
    return dict(sorted(found.items()))


def package_digest(contents: Mapping[str, str]) -> str:
    """The digest, lower-case hexadecimal, of files by name with their SHA-256."""
    digest = hashlib.sha256(b"fluvial package 1\n")
    for name, sha256 in sorted(contents.items()):
        encoded = name.encode()
        digest.update(_LENGTH.pack(len(encoded)) + encoded + bytes.fromhex(sha256))
    return digest.hexdigest()


def _files(folder: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = entry.name
            if name.startswith(".") or name == "__pycache__" or name.endswith(".pyc"):
                continue
            if not prefix and (name == "data" or name in _TASK_FILES):
                continue
            if entry.is_symlink():
                raise PackageError(f"{entry.path} is a link: a package holds files alone, so that its digest says all")
            if entry.is_dir():
                yield from _files(Path(entry.path), f"{prefix}{name}/")
            elif stat.S_ISREG(entry.stat().st_mode):
                yield Path(entry.path), prefix + name
            else:
                raise PackageError(f"{entry.path} is no file: a package holds files alone")


def _digest_of(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            if size > MAX_BYTES:
                break
    return digest.hexdigest(), size
