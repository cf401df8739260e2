"""The encodings by name."""

from fluvial.encoding.base import TensorDecoding, TensorEncoding
from fluvial.encoding.partial_sum import PartialSumDecoding
from fluvial.encoding.participants import ENCODINGS

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
