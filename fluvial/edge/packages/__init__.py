"""Task packages: folders with a task's own code (model, data, loss, metrics, trainer), by name and digest. Without
torch; names are loaded when they are first used, since only examples need numpy."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluvial.edge.packages.allowed import Packages, pinned
    from fluvial.edge.packages.errors import PackageError
    from fluvial.edge.packages.examples import Examples, joined
    from fluvial.edge.packages.package import TaskPackage

_PLACES = {
    "Examples": "fluvial.edge.packages.examples",
    "PackageError": "fluvial.edge.packages.errors",
    "Packages": "fluvial.edge.packages.allowed",
    "TaskPackage": "fluvial.edge.packages.package",
    "joined": "fluvial.edge.packages.examples",
    "pinned": "fluvial.edge.packages.allowed",
}

__all__ = ["Examples", "PackageError", "Packages", "TaskPackage", "joined", "pinned"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
