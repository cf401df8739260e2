"""The interpreter of operators, started in the JVM of a local job before there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.machine.jars import CHECKOUT

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PROGRAM = """
import sys
from pyflink.java_gateway import get_gateway
from pipelines import running
from pipelines.flink import gateway
from pipelines.flink.environment import path_of_operators

gateway.begin()
running.get_ready(["audit"])
sys.stdin.readline()
for statements in sys.argv[1:]:
    path = path_of_operators(running.early_python._CHECKOUT, thread_mode=True)
    get_gateway().jvm.org.fluvial.flink.EarlyPython.begin(sys.executable, path, statements)
    sys.stdin.readline()
gateway.end()
"""

HAS_ALL = "import sys\nassert {'pipelines.audit.operators', 'pyflink.fn_execution'} <= sys.modules.keys(), 'missing'"
NO_BEAM = "import sys\nassert not {'apache_beam', 'pandas'} & sys.modules.keys(), 'Beam'"
NONE_SUCH = "import no_such_module"


def test_operators_modules_are_there_before_a_job_without_beam_and_what_fails_is_told(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, HAS_ALL, NO_BEAM, NONE_SUCH],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "FLINK_LOG_DIR": "."},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            if line.startswith("Python is"):
                told.append(line)
                process.stdin.write("go on\n")
    assert process.returncode == 0
    assert [line.startswith("Python is ready for operators after") for line in told] == [True, True, True, False], told
    assert "no_such_module" in told[-1]
