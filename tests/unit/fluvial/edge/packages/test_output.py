"""What a package prints, beside what a command prints."""

import sys
from contextlib import ExitStack

import pytest

from fluvial.edge.packages.output import output_apart


def test_what_is_printed_meanwhile_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        print("a package's")
        raise KeyError

    with pytest.raises(KeyError), output_apart():
        fails()
    print("a command's")
    assert capsys.readouterr() == ("a command's\n", "a package's\n")


def test_the_last_who_leaves_puts_it_back_in_whatever_order(capsys: pytest.CaptureFixture[str]) -> None:
    """As threads that train together do."""
    first, second = ExitStack(), ExitStack()
    before = sys.stdout
    first.enter_context(output_apart())
    second.enter_context(output_apart())
    first.close()
    print("a package's")
    second.close()
    assert sys.stdout is before
    assert capsys.readouterr().err == "a package's\n"
