"""Numbers have one form, and only that is read."""

import pytest

from fluvial.wire import varint
from fluvial.wire.varint import Unusual, consecutive_bytes, int_bytes, long_bytes, rest_of_zigzag
from tests.unit.fluvial.wire.slow_avro import long_

NUMBERS = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, 1 << 31, 1_700_000_000_000, -(1 << 62), (1 << 63) - 1, -(1 << 63)]


@pytest.mark.parametrize("number", NUMBERS)
def test_longs_are_as_the_slow_encoder_writes_them(number: int) -> None:
    assert long_bytes(number) == long_(number)


@pytest.mark.parametrize("number", NUMBERS)
def test_longs_are_read_back(number: int) -> None:
    data = long_(number) + b"more"
    zigzag, at = (data[0], 1) if data[0] < 0x80 else rest_of_zigzag(data[0], data, 1)
    assert (zigzag >> 1) ^ -(zigzag & 1) == number
    assert data[at:] == b"more"


@pytest.mark.parametrize("data", [b"\x80\x00", b"\x81\x80\x00", b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01"])
def test_other_forms_are_not_read(data: bytes) -> None:
    with pytest.raises(Unusual):
        rest_of_zigzag(data[0], data, 1)


def test_the_end_of_the_data_is_no_number() -> None:
    with pytest.raises(IndexError):
        rest_of_zigzag(0x80, b"\x80", 1)


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1])
def test_what_has_more_than_64_bits_is_not_written(number: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        long_bytes(number)


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1])
def test_what_has_more_than_32_bits_is_no_int(number: int) -> None:
    with pytest.raises(ValueError, match="32-bit"):
        int_bytes(number)


def test_what_is_no_integer_is_not_written() -> None:
    with pytest.raises(TypeError):
        long_bytes(1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        long_bytes(1e15)  # type: ignore[arg-type]


def test_times_are_read_as_before_whether_or_not_one_like_them_was_read() -> None:
    around = [1_700_000_000_000 + moved for moved in range(-200, 200)]
    edges = [(1 << bits) + moved for bits in range(13, 63, 7) for moved in (-1, 0, 1)]
    for _ in range(2):
        for number in [*around, *edges, *(-1 - one for one in edges)]:
            data = long_bytes(number)
            if len(data) > 1:
                zigzag, at = rest_of_zigzag(data[0], data + b"\x80\x01", 1)
                assert ((zigzag >> 1) ^ -(zigzag & 1), at) == (number, len(data))
                with pytest.raises((IndexError, Unusual)):
                    rest_of_zigzag(data[0], data[:-1], 1)


def test_what_is_remembered_of_times_is_bounded() -> None:
    for number in range(1 << 40, (1 << 40) + 64 * 5000, 64):
        data = long_bytes(number)
        rest_of_zigzag(data[0], data, 1)
    assert 0 < len(varint._TIMES) <= 4096


@pytest.mark.parametrize("first", [0, 8190, 8192, 3 * 8192 - 1, (1 << 27) - 2, (1 << 40) + 5, (1 << 62) - 3])
@pytest.mark.parametrize("count", [0, 1, 4, 10_000])
def test_numbers_in_a_row_are_written_as_each_of_them(first: int, count: int) -> None:
    assert list(consecutive_bytes(first, count)) == [long_(number) for number in range(first, first + count)]
