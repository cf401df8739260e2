"""PyFlink's thread mode comes without Apache Beam, and leaves it to whoever wants it."""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.machine.jars import CHECKOUT
from pipelines.flink import without_beam

HEAVY = ("apache_beam", "pandas", "pyarrow", "grpc")


def run(code: str, *, before: str = "") -> str:
    """What the code prints. before: a folder of the checkout that comes first on the path."""
    folders = [before, *sys.path] if before else sys.path
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def test_neither_beam_nor_what_it_brings_is_imported() -> None:
    code = (
        "import sys; from pipelines.flink.without_beam import import_pyflink_without_beam as without\n"
        "without(); without(); from pyflink.fn_execution import flink_fn_execution_pb2\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_beam_can_be_imported_afterwards() -> None:
    code = (
        "import importlib.util; from pipelines.flink.without_beam import import_pyflink_without_beam as without\n"
        "without(); print(importlib.util.find_spec('apache_beam').name)"
    )
    assert run(code) == "apache_beam"


def test_who_has_imported_beam_keeps_it() -> None:
    code = (
        "import sys, types; sys.modules['apache_beam'] = theirs = types.ModuleType('apache_beam')\n"
        "from pipelines.flink.without_beam import import_pyflink_without_beam as without\n"
        "without(); print(sys.modules['apache_beam'] is theirs, 'pyflink.fn_execution' in sys.modules)"
    )
    assert run(code) == "True False"


BEFORE = str(CHECKOUT / without_beam.FOLDER)


def test_the_interpreter_of_an_operator_has_none_before_anything_of_ours_is_imported() -> None:
    code = f"import sys, pyflink.fn_execution; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(code, before=BEFORE) == "[]"
    assert "apache_beam" in run(code), "PyFlink looks for Beam by itself"


def test_whoever_else_asks_in_the_interpreter_of_an_operator_gets_beam_itself() -> None:
    code = (
        "import pyflink.fn_execution, apache_beam, apache_beam.coders, sys\n"
        "print(apache_beam.__version__, [path for path in sys.path if 'thread_mode' in path])"
    )
    version, left = run(code, before=BEFORE).split()
    assert version.startswith("2.")
    assert left == "[]"
