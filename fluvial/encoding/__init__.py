"""Tensor encodings: how a delta becomes chunks of bytes, and a chunk of bytes becomes numbers again.

One encoding a file, both halves together, with all that is particular to its chunks (`TensorDecoding`). `get` knows
them by name. Participants choose among `ENCODINGS`; a partial sum is what a region's aggregation makes, and is only
decoded. Pure, numpy alone.
"""

from fluvial.encoding.base import Encoded, Fault, TensorDecoding, TensorEncoding
from fluvial.encoding.limits import Limits
from fluvial.encoding.partial_sum import PartialSumDecoding
from fluvial.encoding.participants import ENCODINGS
from fluvial.encoding.span import Span

DECODINGS: dict[str, TensorDecoding] = {**ENCODINGS, PartialSumDecoding.name: PartialSumDecoding()}


def get(name: str) -> TensorDecoding:
    """What decodes the encoding of this name. Raises ValueError."""
    if name not in DECODINGS:
        raise ValueError(f"no tensor encoding {name!r}; there are {', '.join(DECODINGS)}")
    return DECODINGS[name]


def encoder(name: str) -> TensorEncoding:
    """The encoding of this name, for a participant's delta. Raises ValueError."""
    if name not in ENCODINGS:
        raise ValueError(f"no participant encodes as {name!r}; there are {', '.join(ENCODINGS)}")
    return ENCODINGS[name]


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
