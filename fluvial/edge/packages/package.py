"""A task package: a folder with what is a task's own, under a name and a digest."""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluvial.edge.packages.contents import package_digest, read_contents
from fluvial.edge.packages.errors import PackageError
from fluvial.edge.packages.importing import Sources, import_module

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPackage:
    """name: of the folder. module: what it is imported as. digest: lower-case hexadecimal. files: by name within the
    package, the SHA-256 of each."""

    name: str
    module: str
    folder: Path
    digest: str
    files: Mapping[str, str]
    sources: Sources

    @classmethod
    def open(cls, folder: Path) -> TaskPackage:
        """The package in that folder; its code does not run yet. Raises PackageError."""
        folder = Path(folder).expanduser().absolute()
        contents = read_contents(folder)
        name = folder.resolve().name
        module = module_name(name)
        digest = package_digest(contents)
        python = {file: _read(folder, file, contents[file]) for file in contents if file.endswith(".py")}
        sources = Sources(module=module, folder=str(folder), digest=digest, files=python)
        return cls(name=name, module=module, folder=folder, digest=digest, files=contents, sources=sources)

    def read(self, file: str) -> bytes:
        """A file of the package, as its digest has it. Raises PackageError if there is none, or if it changed."""
        if file not in self.files:
            raise PackageError(f"the package {self.name} has no file {file}")
        return _read(self.folder, file, self.files[file])

    def check(self) -> None:
        """Raises PackageError if the folder is no more what was opened."""
        if read_contents(self.folder) != self.files:
            raise PackageError(f"the package {self.name} changed while it was in use: start again")

    def resolve(self, reference: str) -> Any:
        """What `module:name` refers to in this package. Raises PackageError for another package's, and for what is
        not there."""
        module, attribute = split_reference(reference)
        if module.partition(".")[0] != self.module:
            raise PackageError(
                f"{reference} is not in the package {self.name}: its code is named {self.module}.MODULE:NAME"
            )
        try:
            found: Any = import_module(self.sources, module)
        except PackageError as error:
            raise PackageError(f"{reference} of the package {self.name}: {error}") from error
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise PackageError(f"{reference}: the module {module} of the package {self.name} has no {attribute}")
            found = getattr(found, part)
        return found


def module_name(package: str) -> str:
    """What a package is imported as: `chest-xray` as `chest_xray`. Raises PackageError for a name that cannot be."""
    module = package.replace("-", "_")
    if _NAME.fullmatch(package) is None or keyword.iskeyword(module):
        raise PackageError(
            f"{package!r} cannot be the name of a package: its folder has a name of small letters, digits, - and _, "
            "a letter first, and none of Python's own words"
        )
    return module


def split_reference(reference: str) -> tuple[str, str]:
    """Module and name. Raises PackageError for another form."""
    module, _, attribute = reference.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")]):
        raise PackageError(f"code is named as module:name, chest_xray.model:net for example, not {reference!r}")
    return module, attribute


def _read(folder: Path, file: str, sha256: str) -> bytes:
    try:
        content = (folder / file).read_bytes()
    except OSError as error:
        raise PackageError(f"{folder / file} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PackageError(f"{folder / file} changed while it was in use: start again")
    return content
