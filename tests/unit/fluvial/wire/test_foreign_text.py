"""What somebody else wrote, on terminals and in logs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from fluvial.wire.foreign_text import MAX_CHARACTERS, logger, plain

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\nERROR the key is lost\u202egnp.exe\u2028\x00\ud800"
FORMAT = "%(levelname)s %(message)s"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.getLogger("tests.foreign").addHandler(handler)
    yield stream
    logging.getLogger("tests.foreign").removeHandler(handler)


def test_control_characters_are_spelt_out_and_lines_stay_lines() -> None:
    assert plain("Größe 5 µm, 名前\nnext") == "Größe 5 µm, 名前\nnext"
    assert plain("\x1b[31m\r\u202e") == r"\x1b[31m\r\u202e"


@pytest.mark.parametrize("by", ["argument", "exception", "formatted", "trace"])
def test_nobody_writes_lines_of_his_own_into_a_log(stream: io.StringIO, by: str) -> None:
    log = logger("tests.foreign")
    match by:
        case "argument":
            log.warning("%s is skipped", HOSTILE)
        case "exception":
            log.warning("skipped: %s", ValueError(HOSTILE))
        case "formatted":
            log.warning(f"skipped: {HOSTILE}")
        case "trace":
            try:
                raise ValueError(HOSTILE)
            except ValueError:
                log.exception("failed")
    first, *others = stream.getvalue().removesuffix("\n").split("\n")
    assert first.startswith(("WARNING ", "ERROR failed"))
    begun = ["Traceback (most recent call last):"] if by == "trace" else []
    assert [line for line in others if not line.startswith("  | ")] == begun
    assert stream.getvalue().replace("\n", "").isprintable()
    assert "ERROR the key is lost" in stream.getvalue()


def test_a_megabyte_is_cut_short_and_keeps_its_end(stream: io.StringIO) -> None:
    logger("tests.foreign").warning("%s!", "x" * 1_000_000)
    assert len(stream.getvalue()) < MAX_CHARACTERS + 100
    assert stream.getvalue().endswith("x!\n")


def test_asking_twice_is_asking_once() -> None:
    assert logger("tests.foreign") is logger("tests.foreign")
    assert len(logger("tests.foreign").filters) == 1
