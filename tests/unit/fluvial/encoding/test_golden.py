"""Bytes of every encoding as they were released: they lie in logs, and must decode to the same numbers for ever."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluvial.encoding import DECODINGS, ENCODINGS, Limits, Span, encoder, get
from fluvial.wire.records import TensorLayout
from tests.unit.fluvial.encoding.slow_encodings import DECODERS

GOLDEN: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
LIMITS = Limits(max_abs=1000.0, max_norm=0.0, num_elements=300, fraction_bits=20, weight=3)


def of(name: str) -> tuple[Span, list[float], bytes]:
    """Its span, its scales and its bytes."""
    golden = GOLDEN[name]
    span = Span((TensorLayout(name="a", shape=(golden["num_elements"],)),), 0, golden["num_elements"])
    return span, golden["scales"], bytes.fromhex(golden["chunk"])


def test_every_encoding_has_golden_bytes_and_a_slow_twin() -> None:
    assert set(GOLDEN) == set(DECODINGS) == set(DECODERS)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes_decode_to_the_golden_numbers(name: str) -> None:
    span, scales, raw = of(name)
    assert get(name).check(raw, span, LIMITS) is None
    assert get(name).check_scales(scales, span.layout, LIMITS) is None
    decoded = get(name).decode(raw, span, scales)
    assert decoded.astype("<f4").tobytes().hex() == GOLDEN[name]["decoded"]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_numbers_are_what_the_description_says(name: str) -> None:
    span, scales, raw = of(name)
    slow = DECODERS[name](raw, span.size, scales)
    assert struct.pack(f"<{span.size}f", *slow).hex() == GOLDEN[name]["decoded"]


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_golden_delta_encodes_to_the_golden_bytes(name: str) -> None:
    span, scales, raw = of(name)
    delta = np.frombuffer(bytes.fromhex(GOLDEN[name]["delta"]), "<f4")
    encoded = encoder(name).encode(delta, span.layout, span.size)
    assert [bytes(chunk) for chunk in encoded.chunks] == [raw]
    assert list(encoded.scales) == scales


@pytest.mark.parametrize("name", ENCODINGS)
def test_slow_twins_agree_on_other_chunks(name: str) -> None:
    random = np.random.default_rng(9)
    for size in (1, 2, 255, 256, 257, 600):
        layout = (TensorLayout(name="a", shape=(size,)),)
        delta = (random.standard_normal(size) * 10.0 ** random.integers(-9, 3, size)).astype(np.float32)
        encoded = encoder(name).encode(delta, layout, size)
        decoded = encoder(name).decode(encoded.chunks[0], Span(layout, 0, size), encoded.scales)
        assert decoded.tolist() == DECODERS[name](bytes(encoded.chunks[0]), size, encoded.scales)
