"""`fluvial infer`: files and lines become examples, answers are printed as they come."""

from __future__ import annotations

import io
import json
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from fluvial.cli import infer
from fluvial.inference.client import Answer, InferenceRefused
from fluvial.wire.records import InferenceStatus


class Doubles:
    """A client that answers with twice the inputs, or refuses."""

    refusal: InferenceRefused | None = None

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Doubles:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, task: str, inputs: Any, deadline_ms: int = 0, *, divisor: float = 1.0) -> Future[Answer]:
        future: Future[Answer] = Future()
        inputs = inputs.astype(np.float32) / np.float32(divisor)
        if self.refusal is not None:
            future.set_exception(self.refusal)
        else:
            future.set_result(
                Answer(outputs=2 * inputs, promotion=5, version=3, variant="onnx", artefact_sha256=bytes(32))
            )
        return future


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(infer, "Client", Doubles)
    monkeypatch.setattr(infer, "load_federation", lambda _: None)
    monkeypatch.setattr(infer.SigningKey, "load", lambda _: None)

    def run(
        source: Path, lines: str = "", *, output: Path | None = None, as_json: bool = False, divisor: float = 1.0
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        infer.infer.__wrapped__(
            "credit",
            name="bank-1",
            input_file=source,
            output=output,
            key=Path("k"),
            timeout=5.0,
            json=as_json,
            divisor=divisor,
        )

    return run


def test_each_line_of_standard_input_is_answered(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ask(Path("-"), "1,2,3\n4,5,6\n")
    assert capsys.readouterr().out == "2 4 6\n8 10 12\n"


def test_a_line_of_json_names_the_release(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ask(Path("-"), "1,2\n", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said == {"outputs": [2.0, 4.0], "promotion": 5, "version": 3, "variant": "onnx"}


def test_a_line_that_is_no_example_is_shown(ask: Any) -> None:
    with pytest.raises(ValueError, match="'1,x'"):
        ask(Path("-"), "1,x\n")


def test_answers_to_standard_input_go_to_no_file(ask: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave --output out"):
        ask(Path("-"), "1\n", output=tmp_path / "o.npy")


def test_a_refusal_ends_with_status_1(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Doubles, "refusal", InferenceRefused(InferenceStatus.NO_RELEASE, "nothing is promoted"))
    with pytest.raises(typer.Exit) as ended:
        ask(Path("-"), "1\n")
    assert ended.value.exit_code == 1


def test_the_outputs_of_a_file_are_written(ask: Any, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "i.csv", np.arange(6).reshape(2, 3), delimiter=",")
    ask(tmp_path / "i.csv", output=tmp_path / "o.npy")
    assert np.load(tmp_path / "o.npy", allow_pickle=False).tolist() == [[0, 2, 4], [6, 8, 10]]


def test_pictures_are_asked_as_bytes_with_what_training_divided_them_by(
    ask: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    np.save(tmp_path / "pictures.npy", np.full((2, 3), 51, np.uint8))
    ask(tmp_path / "pictures.npy", divisor=255.0)
    assert capsys.readouterr().out.splitlines()[1:] == ["0.4 0.4 0.4"] * 2
    ask(Path("-"), "51,102\n", divisor=255.0)
    assert capsys.readouterr().out == "0.4 0.8\n"
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="positive"):
            ask(Path("-"), "", divisor=wrong)


def test_a_spreadsheets_file_is_read_as_a_stream_of_its_lines_is(tmp_path: Path) -> None:
    content = "\ufeff1,2\r\n\r\n 3 , 4\r\n"
    (tmp_path / "sheet.csv").write_text(content, encoding="utf-8", newline="")
    assert infer._read(tmp_path / "sheet.csv").tolist() == [[1, 2], [3, 4]]
    assert [values.tolist() for _, values in infer._lines(content.splitlines(keepends=True))] == [[1, 2], [3, 4]]
    for wrong in ("1_0,2", "1;2", "a,b"):
        (tmp_path / "wrong.csv").write_text(wrong)
        for read in (lambda: infer._read(tmp_path / "wrong.csv"), lambda wrong=wrong: list(infer._lines([wrong]))):
            with pytest.raises(ValueError, match=r"number|could not convert"):
                read()


def test_what_has_no_end_or_says_that_it_holds_more_than_any_memory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a device"):
        infer._read(Path(os.devnull))
    file = tmp_path / "a.npy"
    np.lib.format.write_array(opened := file.open("wb"), np.zeros((1, 1), np.float32))
    opened.close()
    file.write_bytes(file.read_bytes().replace(b"(1, 1), }" + b" " * 12, b"(1, 9999999999999), }"))
    with pytest.raises(ValueError, match=r"a\.npy holds no examples: it says that it holds more than the memory"):
        infer._read(file)
