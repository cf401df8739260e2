import json
from pathlib import Path

import pytest

from fluvial.wire.task_file import TaskFile
from schemas import generate


def test_what_is_committed_is_current() -> None:
    assert generate.RECORDS.read_text(encoding="utf-8") == generate.records_module()
    assert generate.TASK_SCHEMA.read_text(encoding="utf-8") == generate.task_schema()


def test_the_task_schema_requires_what_a_task_file_requires() -> None:
    schema = json.loads(generate.task_schema())
    assert set(schema["required"]) == {name for name, field in TaskFile.model_fields.items() if field.is_required()}
    assert schema["additionalProperties"] is False


def _folder(monkeypatch: pytest.MonkeyPatch, path: Path, **schemas: object) -> None:
    for name, schema in schemas.items():
        (path / f"{name}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    monkeypatch.setattr(generate, "FOLDER", path)


def _record(name: str, kind: object) -> dict[str, object]:
    return {
        "type": "record",
        "name": name,
        "namespace": "org.fluvial.v1",
        "doc": "A record.",
        "fields": [{"name": "field", "type": kind, "doc": "A field."}],
    }


def test_a_schema_that_breaks_a_rule_generates_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _folder(monkeypatch, tmp_path, bad=_record("Bad", {"type": "map", "values": "int"}))
    with pytest.raises(ValueError, match="Bad"):
        generate.records_module()


def test_one_name_means_one_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    enums = [{"type": "enum", "name": "E", "doc": "An enum.", "symbols": symbols} for symbols in (["A"], ["A", "B"])]
    _folder(monkeypatch, tmp_path, one=_record("One", enums[0]), two=_record("Two", enums[1]))
    with pytest.raises(ValueError, match="two types are named E"):
        generate.records_module()


@pytest.mark.parametrize("stale", ["RECORDS", "TASK_SCHEMA"])
def test_the_check_notices_a_stale_file_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], stale: str
) -> None:
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 0
    target = tmp_path / "stale"
    target.write_text("old", encoding="utf-8")
    monkeypatch.setattr(generate, stale, target)
    assert generate.main() == 1
    assert "python -m schemas.generate" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == "old"


def test_written_files_pass_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RECORDS", "TASK_SCHEMA"):
        monkeypatch.setattr(generate, name, tmp_path / name)
    monkeypatch.setattr("sys.argv", ["generate"])
    assert generate.main() == 0
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert generate.main() == 0
