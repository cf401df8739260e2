import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from fluvial.wire.task_file import TaskFile
from schemas import generate
from schemas.contract import load
from tests.unit.schemas.contracts import KIND, LONG, field, put, record


def test_what_is_committed_is_current() -> None:
    for name, text in generate.generated(generate.contract()).items():
        assert (generate.ROOT / name).read_text(encoding="utf-8") == text


def test_the_task_schema_requires_what_a_task_file_requires() -> None:
    schema = json.loads(generate.task_schema())
    assert set(schema["required"]) == {name for name, field in TaskFile.model_fields.items() if field.is_required()}
    assert schema["additionalProperties"] is False


def test_a_schema_that_breaks_a_rule_generates_nothing(tmp_path: Path) -> None:
    put(tmp_path, record(field("field", {"type": "map", "values": "int"}), name="Bad"))
    with pytest.raises(ValueError, match="Bad"):
        generate.contract(tmp_path)


def test_one_name_means_one_type(tmp_path: Path) -> None:
    put(tmp_path, record(field("kind", KIND), name="One"))
    put(tmp_path, record(field("kind", {**KIND, "symbols": ["A"]}), name="Two"))
    with pytest.raises(ValueError, match="two types are named Kind"):
        generate.contract(tmp_path)


def _run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["generate", *arguments])
    return generate.main(folder, folder)


@pytest.mark.parametrize("stale", generate.generated(generate.contract()))
def test_the_check_notices_a_stale_file_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], stale: str
) -> None:
    put(tmp_path, record(LONG))
    assert _run(monkeypatch, tmp_path) == 0
    assert _run(monkeypatch, tmp_path, "--check") == 0
    (tmp_path / stale).write_text("old", encoding="utf-8")
    assert _run(monkeypatch, tmp_path, "--check") == 1
    assert "python -m schemas.generate" in capsys.readouterr().err
    assert (tmp_path / stale).read_text(encoding="utf-8") == "old"


def test_a_change_that_does_not_fit_writes_nothing_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, record(LONG), 1)
    put(tmp_path, record(field("renamed", "long")))
    for arguments in ([], ["--check"], ["--release"]):
        assert _run(monkeypatch, tmp_path, *arguments) == 1
        assert "Thing.number: is gone" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thing.avsc", "versions"]


def test_a_release_adds_what_is_new_and_touches_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put(tmp_path, record(LONG))
    assert _run(monkeypatch, tmp_path, "--release") == 0
    first = tmp_path / "versions" / "Thing" / "1.avsc"
    released = first.read_bytes()
    assert released == (tmp_path / "thing.avsc").read_bytes()
    assert generate.release(tmp_path) == []
    put(tmp_path, record({**LONG, "doc": "Other words."}))
    assert generate.release(tmp_path) == []
    put(tmp_path, record(LONG, field("more", "long", default=0)))
    assert generate.release(tmp_path) == [first.with_name("2.avsc")]
    assert first.read_bytes() == released


def _module(monkeypatch: pytest.MonkeyPatch, name: str, text: str, path: Path) -> ModuleType:
    path.write_text(text, encoding="utf-8")
    spec = util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_types_that_grow_inside_others_are_read_and_written_in_each_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the contract itself does not have yet: an inner record and an inner enum of three shapes, and every kind of
    default."""

    def schema(age: int) -> dict[str, object]:
        more = [field("text", "string", default='a "b"\n'), field("ratio", "double", default=0.0)][:age]
        kind = {**KIND, "symbols": ["A", "B", "C"][: age + 1]}
        inner = record(LONG, field("kind", kind), *more, name="Inner")
        later = [
            field("single", ["null", "Inner"], default=None),
            field("flag", "boolean", default=False),
            field("raw", "bytes", default=""),
            field("kinds", {"type": "array", "items": "Kind"}, default=[]),
            field("favourite", "Kind", default="A"),
        ][: 2 * age + (age == 2)]
        return record(field("inners", {"type": "array", "items": inner}), *later)

    put(tmp_path, schema(0), 1)
    put(tmp_path, schema(1), 2)
    put(tmp_path, schema(2))
    histories = load(tmp_path)
    texts = generate.generated(generate.contract(tmp_path))
    assert [len(history.versions) for history in histories] == [3]
    things = _module(monkeypatch, "things", texts[generate.RECORDS], tmp_path / "things.py")
    codecs_text = texts[generate.CODECS].replace("from fluvial.wire import records", "import things as records")
    codecs = _module(monkeypatch, "thing_codecs", codecs_text, tmp_path / "thing_codecs.py")
    one, two, three = (fits for fits in codecs.FITS[things.Thing])
    assert three is None

    def both(thing: object) -> tuple[bool, bool]:
        return one(thing), two(thing)

    inner = things.Inner(number=7, kind=things.Kind.A)
    assert inner.text == 'a "b"\n'
    thing = things.Thing(inners=(inner,))
    assert (thing.single, thing.flag, thing.raw, thing.kinds, thing.favourite) == (None, False, b"", (), things.Kind.A)
    older = things.Inner(number=7, kind=things.Kind.B, text="")
    newest = things.Inner(number=7, kind=things.Kind.A, ratio=-0.0)
    cases = [
        (thing, (True, True)),
        (things.Thing(inners=(inner, older)), (False, True)),
        (things.Thing(inners=(inner, newest)), (False, False)),
        (things.Thing(inners=(), single=older), (False, True)),
        (things.Thing(inners=(), single=newest), (False, False)),
        (things.Thing(inners=(), flag=True), (False, True)),
        (things.Thing(inners=(), raw=b"x"), (False, False)),
        (things.Thing(inners=(), favourite=things.Kind.B), (False, False)),
        (things.Thing(inners=(), kinds=(things.Kind.C,), favourite=things.Kind.C), (False, False)),
    ]
    for value, expected in cases:
        assert both(value) == expected
        for holds, write, read in zip(
            (*expected, True), codecs.WRITERS[things.Thing], codecs.READERS[things.Thing], strict=True
        ):
            if holds:
                out: list[bytes] = []
                write(value, out)
                data = b"".join(out)
                found, end = read(data, 0)
                assert (repr(found), end) == (repr(value), len(data))
