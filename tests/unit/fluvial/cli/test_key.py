"""Keys of operators: made once, shown in the form of a task file, never replaced."""

import json
import stat
from pathlib import Path

import pytest

from fluvial.cli.key import app
from fluvial.identity.keys import SigningKey
from fluvial.wire.terms import ApprovalSpec
from tests.unit.fluvial.cli.runner import invoke


def test_the_printed_half_is_what_a_task_file_names(tmp_path: Path) -> None:
    file = tmp_path / "keys of ours" / "anna.pem"
    made = invoke(app, "new", str(file))
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = invoke(app, "show", str(file))
    assert shown.stdout == made.stdout == f"{SigningKey.load(file).public_key.hex()}\n"
    assert ApprovalSpec(operators=1, operator_keys={"anna": made.stdout.strip()})
    told = json.loads(invoke(app, "show", str(file), "--json").stdout)
    assert told == {"key": str(file), "public_key": shown.stdout.strip()}


def test_a_key_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "anna.pem"
    invoke(app, "new", str(file))
    before = file.read_bytes()
    again = invoke(app, "new", str(file))
    assert again.exit_code != 0
    assert "key show" in again.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "anna.pem"
    if content is not None:
        file.write_bytes(content)
    shown = invoke(app, "show", str(file))
    assert shown.exit_code != 0
    assert "anna.pem" in shown.stderr
    assert "Traceback" not in shown.output
