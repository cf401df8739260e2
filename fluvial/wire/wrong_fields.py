"""What is wrong with a document, for whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fluvial.wire.names import GIVEN_NAME_PATTERN
from fluvial.wire.task_code import REFERENCE_PATTERN

_FORMS = {
    REFERENCE_PATTERN: "module:function of the task's package, chest_xray.model:net for example",
    GIVEN_NAME_PATTERN: "small letters, digits, - and _, a letter or digit first, at most 63 of them",
}


def in_words(error: ValidationError, whole: str) -> str:
    """Each field with what it should be, on one line. whole: what to call the document itself."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or whole}: {_what(each)}" for each in error.errors())


def _what(wrong: Mapping[str, Any]) -> str:
    form = _FORMS.get(wrong.get("ctx", {}).get("pattern", ""))
    if wrong["type"] == "string_pattern_mismatch" and form is not None:
        return f"{str(wrong['input'])[:80]!r} has not the form: {form}"
    if wrong["type"] == "extra_forbidden":
        return "there is no such field here"
    return str(wrong["msg"]).removeprefix("Value error, ")
