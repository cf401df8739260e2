"""Names that may stand in keys, file names and verdicts."""

import pytest

from fluvial.wire.names import check_participant, is_name


@pytest.mark.parametrize("name", ["a", "hospital-7", "A.b_c:d@e+f", "0", "x" * 128])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "text", ["", "x" * 129, "-a", ".hidden", "a/b", "a b", "a\n", "\na", "ä", "a\0", "a%b", "\u2028"]
)
def test_not_names(text: str) -> None:
    assert not is_name(text)


def test_the_rule_is_said_in_words() -> None:
    check_participant("hospital-7")
    with pytest.raises(ValueError, match=r"St\. Mary.*1 to 128 of A-Z a-z 0-9 .*first a letter or digit"):
        check_participant("St. Mary's")
