"""Media types of signed payloads: each names a record, its version and the federation that it is for, never something
generic.

A media type is part of what is signed (DSSE), so a record that was signed for one federation, prefix or incarnation is
another type of record in every other one, and is believed there by nobody. Federations of the first release have no
id; what is signed for one of them names none.
"""

import re
from functools import cache
from typing import Any


def media_type(record: type[Any], scope: str = "") -> str:
    """For ModelUpdate: application/vnd.fluvial.model-update.v1+avro; federation=<scope>. scope: `Topics.scope`, empty
    for a federation without an id, whose media types have no parameter."""
    kind = _kind(record.__name__)
    return f"{kind}; federation={scope}" if scope else kind


def is_of_kind(payload_type: str, record: type[Any]) -> bool:
    """Whether this is the record's media type in any federation."""
    return payload_type.partition(";")[0] == _kind(record.__name__)


@cache
def _kind(name: str) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
    return f"application/vnd.fluvial.{words}.v1+avro"
