"""PyFlink's thread mode comes without Apache Beam, and leaves it to whoever wants it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("apache_beam", "pandas", "pyarrow", "grpc")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


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
