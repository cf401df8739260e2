import pytest

from fluvial.encoding.chunks import split


@pytest.mark.parametrize(("length", "sizes"), [(0, []), (4, [4]), (8, [8]), (12, [8, 4]), (16, [8, 8])])
def test_chunks_have_equal_lengths_but_for_the_last(length: int, sizes: list[int]) -> None:
    data = bytes(range(length))
    chunks = list(split(data, 8))
    assert [len(chunk) for chunk in chunks] == sizes
    assert b"".join(chunks) == data


def test_chunks_are_views() -> None:
    data = bytes(16)
    assert all(chunk.obj is data for chunk in split(data, 8))


@pytest.mark.parametrize("size", [0, -1])
def test_chunks_of_nothing_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="chunks of"):
        list(split(bytes(4), size))
