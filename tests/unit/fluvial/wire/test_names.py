"""Names that may stand in keys, file names and verdicts."""

import pytest

from fluvial.wire.names import is_name


@pytest.mark.parametrize("name", ["a", "hospital-7", "A.b_c:d@e+f", "0", "x" * 128])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "text", ["", "x" * 129, "-a", ".hidden", "a/b", "a b", "a\n", "\na", "ä", "a\0", "a%b", "\u2028"]
)
def test_not_names(text: str) -> None:
    assert not is_name(text)
