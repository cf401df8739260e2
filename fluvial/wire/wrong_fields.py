"""What is wrong with a document, for whoever wrote it."""

from __future__ import annotations

from pydantic import ValidationError


def in_words(error: ValidationError, whole: str) -> str:
    """Each field with what it should be, on one line. whole: what to call the document itself."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or whole}: {each['msg']}" for each in error.errors())
