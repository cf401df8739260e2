import pytest

from pipelines.flink.messages import pack, unpack


def test_what_is_packed_comes_back() -> None:
    message = pack("digits/3", "closed", [b"", b"\x00" * 5, b"last"])
    assert unpack(message) == ("digits/3", "closed", [b"", b"\x00" * 5, b"last"])


def test_another_version_is_refused() -> None:
    message = bytes([9]) + pack("k", "x")[1:]
    with pytest.raises(ValueError, match="version 9"):
        unpack(message)
