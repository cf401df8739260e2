"""Task packages: folders with a task's own code (model, data, loss, metrics, trainer), by name and digest. Without
torch."""

from fluvial.edge.packages.allowed import Packages, pinned
from fluvial.edge.packages.errors import PackageError
from fluvial.edge.packages.examples import Examples, joined
from fluvial.edge.packages.package import TaskPackage

__all__ = ["Examples", "PackageError", "Packages", "TaskPackage", "joined", "pinned"]
