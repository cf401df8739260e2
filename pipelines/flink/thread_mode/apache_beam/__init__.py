"""Stands before Apache Beam on the path of thread mode's interpreters, in which nothing of ours comes before PyFlink.

To PyFlink, which asks while `pyflink.fn_execution` is imported, there is no Beam: see `pipelines.flink.without_beam`.
Whoever asks otherwise gets Beam itself.
"""

import importlib
import sys
from pathlib import Path

_asking = getattr(sys.modules.get("pyflink.fn_execution"), "__spec__", None)
if getattr(_asking, "_initializing", False):  # the mark of the import system's own locks
    raise ImportError("PyFlink's thread mode does without Apache Beam")
_folder = Path(__file__).parent.parent
sys.path[:] = [entry for entry in sys.path if Path(entry) != _folder]
del sys.modules[__name__]
importlib.import_module(__name__)
