"""Tensor encodings: how a delta becomes bytes, and a chunk of bytes becomes numbers again.

One encoding a file, both halves together. `get` knows them by name; a further encoding is a further file and a line
here. Participants choose among `ENCODINGS`; a partial sum is what a region's aggregation makes, and is only decoded.
"""

from fluvial.encoding.base import TensorDecoding, TensorEncoding
from fluvial.encoding.float32 import Float32Encoding
from fluvial.encoding.int8 import Int8Encoding
from fluvial.encoding.partial_sum import PartialSumDecoding

ENCODINGS: dict[str, TensorEncoding] = {encoding.name: encoding for encoding in (Float32Encoding(), Int8Encoding())}
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
    "Float32Encoding",
    "Int8Encoding",
    "PartialSumDecoding",
    "TensorDecoding",
    "TensorEncoding",
    "encoder",
    "get",
]
