"""Base models on disk, shared by all participants of one user on one host: one downloads, the others map its file.

A file is named by the model's digest, so it is never wrong, only absent or damaged: every reader checks every chunk
against the digests that the aggregator signed before it uses the file, and downloads anew what does not fit. Files
appear by an atomic rename. While one process downloads, others that want the model wait for its lock, which ends with
it.

The folder is the platform's for caches (`~/.cache/fluvial/models` on Linux). The environment variable
FLUVIAL_MODEL_CACHE names another one, or says `off`. It holds as many models as the budget allows, the last used ones;
removing files is safe at any time, for a mapping outlives its name. On a network file system it does not where another
host removes it: where hosts share a home, name a local folder.

Shapes: D parameters.
"""

import contextlib
import hashlib
import mmap
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.wire.records import ChunkReference

VARIABLE = "FLUVIAL_MODEL_CACHE"
SMALLEST_BYTES = 256 << 10
"""Smaller models are not worth a file: to map one and look at it takes a tenth of a millisecond, and a download by each
participant of a host ten times that of a MB, once for it and once for the broker."""

_BUDGET_BYTES = 2 << 30
_NUM_LOCKS = 16
_SUFFIX, _PART = ".model", ".part"

Vector = NDArray[np.float32]


class ModelFiles:
    """Models of at least `smallest_bytes` in a folder, at most `budget_bytes` of them and always the newest."""

    def __init__(
        self, directory: Path, *, budget_bytes: int = _BUDGET_BYTES, smallest_bytes: int = SMALLEST_BYTES
    ) -> None:
        self._directory = directory
        self._budget_bytes = budget_bytes
        self._smallest_bytes = smallest_bytes

    def get(self, digest: bytes, chunks: Sequence[ChunkReference], load: Callable[[], Vector]) -> Vector:
        """The model_D of that digest, read-only; its chunks' digests are checked here.

        load: downloads and verifies it, where there is no file. A folder that cannot be used is no error: the model is
        downloaded. Raises what `load` raises.
        """
        if sum(chunk.length for chunk in chunks) < self._smallest_bytes:
            return load()
        path = self._directory / (digest.hex() + _SUFFIX)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_own(self._directory)
        except OSError:
            return load()
        while True:
            before = _identity(path)
            model_D = _read(path, chunks)  # without the lock: those who waited for a download check it at the same time
            if model_D is not None:
                return model_D
            with contextlib.ExitStack() as ends:
                try:
                    ends.enter_context(self._lock(digest))
                except OSError:
                    return load()
                if _identity(path) != before:
                    continue
                model_D = load()
                with contextlib.suppress(OSError):
                    self._write(path, model_D)
                    model_D = np.frombuffer(_Mapping.of(path), "<f4")  # the bytes that were verified: not again
                return model_D

    @contextlib.contextmanager
    def _lock(self, digest: bytes) -> Iterator[None]:
        """Few lock files for all models, so that none has to be removed; ends with the process that holds it."""
        with open(self._directory / f"lock-{digest[0] % _NUM_LOCKS}", "ab", opener=_for_owner) as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, path: Path, model_D: Vector) -> None:
        """The lock is held, so nobody else writes this part. What a crash left is removed."""
        part = path.with_suffix(_PART)
        part.unlink(missing_ok=True)
        try:
            with open(part, "wb", opener=_for_owner) as file:
                file.write(model_D.astype("<f4", copy=False).data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._shrink(path)

    def _shrink(self, newest: Path) -> None:
        left = self._budget_bytes - newest.stat().st_size
        files = [path for suffix in (_SUFFIX, _PART) for path in self._directory.glob("*" + suffix) if path != newest]
        for status, path in sorted(_with_status(files), key=lambda item: item[0].st_mtime, reverse=True):
            left -= status.st_size
            if left < 0:
                path.unlink(missing_ok=True)


class _Mapping(mmap.mmap):
    """A file's bytes, read-only. Keeps the file open, to be mapped again."""

    _descriptor: int

    @classmethod
    def of(cls, path: Path) -> "_Mapping":
        """Raises OSError; ValueError for an empty file, which cannot be mapped."""
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            mapped = cls(descriptor, 0, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(descriptor)
            raise
        mapped._descriptor = descriptor
        weakref.finalize(mapped, os.close, descriptor)
        return mapped

    def own(self) -> mmap.mmap:
        """The same bytes, to be written to: a page that is written to is copied first. Raises OSError."""
        return mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_COPY)


def own_copy(model_D: Vector) -> Vector:
    """A copy that is the caller's own, to change as it likes. Of a model that lies in a file the kernel copies those
    pages alone that the caller writes to: most never do."""
    mapped = getattr(model_D.base, "obj", None)
    if isinstance(mapped, _Mapping) and len(mapped) == model_D.nbytes:
        with contextlib.suppress(OSError):
            return np.frombuffer(mapped.own(), model_D.dtype)
    return model_D.copy()


def default_model_files() -> ModelFiles | None:
    """What the environment says: files in its folder, in the platform's, or none."""
    named = os.environ.get(VARIABLE)
    if named is not None and named.lower() in ("", "off"):
        return None
    try:
        return ModelFiles(Path(named).expanduser() if named else _cache_folder() / "fluvial" / "models")
    except RuntimeError:  # a user without a home
        return None


def _cache_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _for_owner(path: str, flags: int) -> int:
    """Nobody else may read it, and a link that somebody put there is not followed."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _check_own(directory: Path) -> None:
    """Raises PermissionError for a folder in which others may write: a file could be another one once it is checked."""
    if hasattr(os, "geteuid"):
        status = directory.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"others may write in {directory}")


def _with_status(paths: Iterable[Path]) -> Iterator[tuple[os.stat_result, Path]]:
    """Of the files that are still there."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path.stat(), path


def _identity(path: Path) -> int | None:
    """Another one when the file was written anew; None when there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _read(path: Path, chunks: Sequence[ChunkReference]) -> Vector | None:
    """The file as an array, if every chunk has its digest; marks the file as used."""
    try:
        mapped = _Mapping.of(path)
        if len(mapped) != sum(chunk.length for chunk in chunks):
            return None
        os.utime(path)
    except (OSError, ValueError):  # no file, or an empty one, which cannot be mapped
        return None
    view, position = memoryview(mapped), 0
    for chunk in chunks:
        if hashlib.sha256(view[position : position + chunk.length]).digest() != chunk.sha256:
            return None
        position += chunk.length
    return np.frombuffer(mapped, "<f4")
