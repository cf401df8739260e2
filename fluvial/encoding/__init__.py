"""Tensor encodings: how a delta becomes chunks of bytes, and a chunk of bytes becomes numbers again.

One encoding a file, both halves together, with all that is particular to its chunks (`TensorDecoding`). `get` knows
them by name. Participants choose among `ENCODINGS`; a partial sum is what a region's aggregation makes, and is only
decoded. Pure, numpy alone; names are loaded when they are first used, since who looks at a task's file or layout needs
no numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluvial.encoding.base import Encoded, Fault, TensorDecoding, TensorEncoding
    from fluvial.encoding.catalogue import DECODINGS, encoder, get
    from fluvial.encoding.limits import Limits
    from fluvial.encoding.partial_sum import PartialSumDecoding
    from fluvial.encoding.participants import ENCODINGS
    from fluvial.encoding.span import Span

_PLACES = {
    "DECODINGS": "fluvial.encoding.catalogue",
    "ENCODINGS": "fluvial.encoding.participants",
    "Encoded": "fluvial.encoding.base",
    "Fault": "fluvial.encoding.base",
    "Limits": "fluvial.encoding.limits",
    "PartialSumDecoding": "fluvial.encoding.partial_sum",
    "Span": "fluvial.encoding.span",
    "TensorDecoding": "fluvial.encoding.base",
    "TensorEncoding": "fluvial.encoding.base",
    "encoder": "fluvial.encoding.catalogue",
    "get": "fluvial.encoding.catalogue",
}

__all__ = [
    "DECODINGS",
    "ENCODINGS",
    "Encoded",
    "Fault",
    "Limits",
    "PartialSumDecoding",
    "Span",
    "TensorDecoding",
    "TensorEncoding",
    "encoder",
    "get",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
