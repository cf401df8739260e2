"""Imports a package's modules from the bytes that its digest was taken of, and never from bytecode beside them.

So what runs is what the task pins, whatever happens to the folder meanwhile. A folder is one package of its normalised
name, with or without an `__init__.py`, wherever it lies.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable, TraversableResources
from pathlib import Path
from types import CodeType, ModuleType

from fluvial.edge.packages.errors import FAULTS, PackageError, in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """A package's Python files, by name within it, and where it lies."""

    module: str
    folder: str
    digest: str
    files: Mapping[str, bytes]

    def find(self, name: str) -> tuple[str, bool] | None:
        """The file of a module, and whether it is a package; None where there is none. A folder without an
        `__init__.py` is a package with an empty one, whose file is called ""."""
        path = "/".join(name.split(".")[1:])
        if (inner := f"{path}/__init__.py" if path else "__init__.py") in self.files:
            return inner, True
        if path and f"{path}.py" in self.files:
            return f"{path}.py", False
        if not path or any(file.startswith(f"{path}/") for file in self.files):
            return "", True
        return None

    def has(self, name: str) -> bool:
        """Whether a module of this name lies at the top of the package."""
        return self.find(f"{self.module}.{name}") is not None


class _Loader(importlib.abc.InspectLoader):
    def __init__(self, sources: Sources, file: str, package: bool) -> None:
        self._sources, self._file, self._package = sources, file, package

    def is_package(self, fullname: str) -> bool:
        return self._package

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._sources.files[self._file]) if self._file else ""

    def get_code(self, fullname: str) -> CodeType:
        content = self._sources.files[self._file] if self._file else b""
        return compile(content, f"{self._sources.folder}/{self._file}", "exec", dont_inherit=True)

    def get_data(self, path: str) -> bytes:
        """A file beside the code, for `pkgutil.get_data`. Raises OSError."""
        return Path(path).read_bytes()

    def get_resource_reader(self, fullname: str) -> TraversableResources:
        """For `importlib.resources`: the folder of the package of that name."""
        return _Folder(Path(self._sources.folder, *fullname.split(".")[1:]))


class _Folder(TraversableResources):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Traversable:
        return self._folder


class _Finder(importlib.abc.MetaPathFinder):
    """Of the packages in use; the first to be asked for their names."""

    def __init__(self) -> None:
        self.packages: dict[str, Sources] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        sources = self.packages.get(fullname.partition(".")[0])
        found = sources.find(fullname) if sources is not None else None
        if sources is None or found is None:
            return None
        file, package = found
        place = file or "/".join([*fullname.split(".")[1:], "__init__.py"])
        spec = importlib.machinery.ModuleSpec(
            fullname, _Loader(sources, file, package), origin=f"{sources.folder}/{place}", is_package=package
        )
        spec.has_location = True  # so that modules have __file__, and read their data beside it
        return spec


_FINDER = _Finder()
_LOCK = threading.RLock()


def import_module(sources: Sources, name: str) -> ModuleType:
    """The module of that name, which is the package or within it; imported once for each digest.

    A package of the same name with another digest takes the former's place. Raises PackageError for a name that is
    another module's already, and for whatever importing comes to.
    """
    with _LOCK:
        _install(sources)
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and error.name.partition(".")[0] == sources.module:
                have = ", ".join(sorted(file for file in sources.files)) or "no Python files"
                raise PackageError(f"the package has no module {error.name}; it has {have}") from error
            if error.name is not None and sources.has(own := error.name.partition(".")[0]):
                raise PackageError(
                    f"{name} imports {own}, which lies in the package: it is {sources.module}.{own}, or from . import "
                    f"{own}"
                ) from error
            raise PackageError(
                f"{name} needs {error.name}, which is not installed here: install it where this process runs"
            ) from error
        except FAULTS as error:
            raise PackageError(f"{name} cannot be imported: {in_words(error)}") from error


def _install(sources: Sources) -> None:
    present = _FINDER.packages.get(sources.module)
    check_free(sources.module, sources.folder)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    if present is None or present.digest != sources.digest:
        for name in [name for name in sys.modules if name.partition(".")[0] == sources.module]:
            del sys.modules[name]
        _FINDER.packages[sources.module] = sources


def check_free(module: str, folder: str) -> None:
    """Raises PackageError where the name is that of other code: it would be hidden, for all of this process. The same
    folder, found on Python's own path, is no other code; what was imported from there is imported again."""
    if module in _FINDER.packages:
        return
    taken = module in sys.builtin_module_names or module in sys.stdlib_module_names
    if not taken and (loaded := sys.modules.get(module)) is not None:
        taken = not _lies_in(getattr(loaded, "__file__", None), folder)
    elif not taken:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        # Without an origin it is any folder on the path, and no code.
        taken = spec is not None and spec.origin is not None and not _lies_in(spec.origin, folder)
    if taken:
        raise PackageError(f"a package cannot be called {module}: there is a Python module of this name; rename it")


def _lies_in(file: str | None, folder: str) -> bool:
    return file is not None and Path(file).resolve().parent == Path(folder).resolve()
