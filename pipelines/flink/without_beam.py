"""PyFlink without Apache Beam, which thread mode does not use.

`import pyflink.fn_execution` imports Beam, and with it pandas, pyarrow and gRPC, 1.4 s of processor time and 100 MB, to
see whether Beam is compiled; where it cannot be imported, PyFlink takes its own coders in Python, none of which thread
mode calls. So for this one import there is no Beam. Whoever wants it afterwards gets it.

The client of a job does this before it makes the job's graph. In the interpreters of its operators PyFlink is imported
before anything of ours: there a folder on their path says that there is no Beam (`FOLDER`).
"""

import importlib
import sys
import threading

FOLDER = "pipelines/flink/thread_mode"
"""In a checkout; it comes before the packages in which Beam is."""

_BEAM = "apache_beam"
_lock = threading.Lock()


def import_pyflink_without_beam() -> None:
    """Does nothing where either is imported already."""
    with _lock:
        if _BEAM in sys.modules or "pyflink.fn_execution" in sys.modules:
            return
        sys.modules[_BEAM] = None  # type: ignore[assignment]  # Python's mark for "not to be found"
        try:
            importlib.import_module("pyflink.fn_execution")
        finally:
            del sys.modules[_BEAM]
