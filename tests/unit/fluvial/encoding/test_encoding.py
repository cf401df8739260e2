import pytest

from fluvial.encoding import DECODINGS, ENCODINGS, encoder, get
from fluvial.encoding.names import NAMES


def test_encodings_are_known_by_their_names() -> None:
    assert list(ENCODINGS) == ["float32", "float16", "bfloat16", "int8", "int4", "top_k"]
    assert all(get(name).name == name for name in ENCODINGS)
    assert all(encoder(name) is get(name) for name in ENCODINGS)


def test_a_partial_sum_is_decoded_but_no_participant_encodes_one() -> None:
    assert list(DECODINGS) == [*ENCODINGS, "partial_sum"]
    assert get("partial_sum").name == "partial_sum"
    with pytest.raises(ValueError, match="no participant encodes as 'partial_sum'"):
        encoder("partial_sum")


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="float32, float16, "):
        get("float64")


def test_their_names_are_known_without_them() -> None:
    assert tuple(DECODINGS) == NAMES
