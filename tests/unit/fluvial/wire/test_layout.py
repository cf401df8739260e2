import hashlib

import pytest

from fluvial.encoding.span import PLANES
from fluvial.wire.layout import chunk_length, chunk_partition, layout_digest, model_digest, num_chunks, num_elements
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(3, 4)), TensorLayout(name="bias", shape=()))


def test_elements_are_counted_over_all_tensors() -> None:
    assert num_elements(LAYOUT) == 13  # a scalar has one element
    assert num_elements([]) == 0
    assert num_elements([TensorLayout(name="empty", shape=(0, 5))]) == 0
    assert num_elements([TensorLayout(name="large", shape=(1 << 40, 1 << 40))]) == 1 << 80


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        num_elements([TensorLayout(name="weight", shape=(-1, -1))])


def test_the_digest_is_of_these_bytes() -> None:
    expected = hashlib.sha256(
        b"fluvial layout 1\n"
        + b"\0\0\0\6weight\0\0\0\2" + (3).to_bytes(8) + (4).to_bytes(8)
        + b"\0\0\0\4bias\0\0\0\0"
    )  # fmt: skip
    assert layout_digest(LAYOUT) == expected.digest()


@pytest.mark.parametrize(
    "other",
    [
        LAYOUT[::-1],
        LAYOUT[:1],
        (TensorLayout(name="weight", shape=(4, 3)), LAYOUT[1]),
        (TensorLayout(name="weight", shape=(12,)), LAYOUT[1]),
        (TensorLayout(name="weights", shape=(3, 4)), LAYOUT[1]),
        (LAYOUT[0], TensorLayout(name="bias", shape=(1,))),
    ],
)
def test_another_layout_has_another_digest(other: tuple[TensorLayout, ...]) -> None:
    assert layout_digest(other) != layout_digest(LAYOUT)


@pytest.mark.parametrize(("elements", "chunks"), [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_chunks_cover_the_model_once(elements: int, chunks: int) -> None:
    assert num_chunks(elements, 4) == chunks
    assert sum(chunk_length(chunk, elements, 4) for chunk in range(chunks)) == elements


def test_chunks_of_a_task_go_round_the_partitions() -> None:
    assert hashlib.sha256(b"digits").hexdigest().startswith("cc6b6bad")
    start = 0xCC6B6BAD % 4
    assert [chunk_partition("digits", chunk, 4) for chunk in range(6)] == [(start + chunk) % 4 for chunk in range(6)]
    assert {chunk_partition(f"task-{number}", 0, 4) for number in range(20)} == {0, 1, 2, 3}


def test_the_models_digest_is_over_its_chunks_in_order() -> None:
    first, second = (hashlib.sha256(chunk).digest() for chunk in (b"first", b"second"))
    assert model_digest([first, second]) == hashlib.sha256(first + second).digest()
    assert model_digest([first, second]) != model_digest([second, first])


def test_the_dtype_counts_and_float32_needs_no_word() -> None:
    def digest(*dtypes: str) -> bytes:
        return layout_digest([TensorLayout(name=f"w{n}", shape=(2,), dtype=one) for n, one in enumerate(dtypes)])

    kinds = [(first, second) for first in PLANES for second in PLANES]
    assert len({digest(*kind) for kind in kinds}) == len(kinds)
    plain = [TensorLayout(name="w0", shape=(2,)), TensorLayout(name="w1", shape=(2,))]
    assert digest("float32", "float32") == layout_digest(plain)


def test_float64_is_three_tensors_and_what_does_not_travel_is_refused() -> None:
    assert num_elements([TensorLayout(name="w", shape=(2, 5), dtype="float64")]) == 30
    assert num_elements([TensorLayout(name="w", shape=(2, 5), dtype="bfloat16")]) == 10
    with pytest.raises(ValueError, match="tensor w is 'int8'; these travel: float32"):
        num_elements([TensorLayout(name="w", shape=(2,), dtype="int8")])
