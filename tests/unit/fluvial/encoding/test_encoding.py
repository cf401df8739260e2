import pytest

from fluvial.encoding import ENCODINGS, get


def test_encodings_are_known_by_their_names() -> None:
    assert list(ENCODINGS) == ["float32", "int8"]
    assert all(get(name).name == name for name in ENCODINGS)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="float32, int8"):
        get("float16")
