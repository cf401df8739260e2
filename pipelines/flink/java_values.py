"""Values for the constructors of our Java classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyflink.java_gateway import get_gateway


def java_strings(texts: Sequence[str]) -> Any:
    """A String[]."""
    gateway = get_gateway()
    array = gateway.new_array(gateway.jvm.java.lang.String, len(texts))
    for index, text in enumerate(texts):
        array[index] = text
    return array
