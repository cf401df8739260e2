import numpy as np
import pytest

from fluvial.encoding import ENCODINGS, Encoded, TensorEncoding, encoder, limits
from fluvial.encoding.fitting import decoded, encode_shortened, encode_within, norm_of
from fluvial.wire.records import TensorLayout

SIZE, CHUNK = 2000, 700
LAYOUT = (TensorLayout(name="a", shape=(SIZE - 300,)), TensorLayout(name="b", shape=(300,)))


def decoded_norm(codec: TensorEncoding, encoded: Encoded) -> float:
    return norm_of(decoded(codec, encoded, LAYOUT, CHUNK))


def clipped(seed: int, max_norm: float, shape: str) -> np.ndarray:
    random = np.random.default_rng(seed)
    delta = random.standard_normal(SIZE) if shape == "normal" else np.where(random.random(SIZE) < 0.01, 1.0, 0.0045)
    return (delta * (max_norm / np.linalg.norm(delta))).astype(np.float32)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("shape", ["normal", "few far"])
def test_what_is_clipped_to_the_announced_norm_keeps_it_in_every_encoding(name: str, shape: str) -> None:
    codec = encoder(name)
    for seed in range(10):
        for max_norm in (0.1, 1.0, 7.7):
            delta = clipped(seed, max_norm, shape)
            norm = decoded_norm(codec, encode_within(codec, delta, LAYOUT, CHUNK, max_norm))
            assert (0.0 if codec.omits else 0.9 * max_norm) < norm <= limits.largest_norm(max_norm)


def test_some_encodings_would_exceed_it_otherwise() -> None:
    for name in ("float16", "bfloat16", "int8", "int4"):
        codec = encoder(name)
        norms = [decoded_norm(codec, codec.encode(clipped(seed, 1.0, "normal"), LAYOUT, CHUNK)) for seed in range(20)]
        assert max(norms) > limits.largest_norm(1.0), name


def test_what_fits_or_is_too_long_itself_is_encoded_as_it_is() -> None:
    codec = encoder("int4")
    for norm, max_norm in ((1.0, 0.0), (1.0, 2.0), (3.0, 1.0)):
        delta = clipped(1, norm, "normal")
        plain = codec.encode(delta, LAYOUT, CHUNK)
        assert list(encode_within(codec, delta, LAYOUT, CHUNK, max_norm).chunks) == list(plain.chunks)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("largest", [60_000.0, 1e-20, 1e-40])
def test_small_numbers_are_encoded_where_the_caller_has_numpy_raise(name: str, largest: float) -> None:
    layout = (TensorLayout(name="w", shape=(4,)),)
    delta = np.array([largest, 1e-44, -3e-39, 0], np.float32)
    with np.errstate(all="raise"):
        encoded = encode_within(encoder(name), delta, layout, 3, 1.5 * largest)
        shortened = encode_shortened(encoder(name), delta, layout, 3, largest * 1e-30)
    assert len(encoded.chunks) == len(shortened.chunks) == 2
