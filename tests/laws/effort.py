"""How many examples a law is tried with, by what one of them takes.

`make test` draws others each time, so that few in each run are many in a week; `make soak` tries eighty times as many.
"""

from __future__ import annotations

from hypothesis import settings

_USUAL = 25
"""Examples of a law that says nothing of its own, in the profile of `make test` (tests/conftest.py)."""


def examples(number: int) -> settings:
    """So many in each run of a law whose examples take milliseconds, or that is tried with each of many parameters."""
    return settings(max_examples=max(1, number * settings.default.max_examples // _USUAL))
