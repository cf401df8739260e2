"""The process behind `fluvial up`, and signals that come before it has a stack."""

import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED_AT_AN_IMPORT = """
import signal, sys, weakref

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "deploy.local.stack":
            class Gone: pass
            gone = Gone()
            # Where Python tells an exception and goes on, as in callbacks of its import system.
            callback = weakref.ref(gone, lambda _: signal.raise_signal(signal.SIGINT))
            del gone
            sys.exit("went on as if nobody had asked")

sys.meta_path.insert(0, Interrupting())
from deploy.local import supervisor
sys.argv[1:] = [{folder!r}]
supervisor.main()
"""


@pytest.mark.timeout(60)
def test_a_signal_while_modules_are_imported_is_not_lost(tmp_path: Path) -> None:
    code = INTERRUPTED_AT_AN_IMPORT.format(folder=str(tmp_path / "data"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert not (tmp_path / "data").exists()
