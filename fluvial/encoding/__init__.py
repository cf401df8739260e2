"""Tensor encodings: how a participant's delta becomes bytes, and a chunk of bytes becomes numbers again.

One encoding a file, both halves together. `get` knows them by name; a further encoding is a further file and a line
here.
"""

from fluvial.encoding.base import TensorEncoding
from fluvial.encoding.float32 import Float32Encoding
from fluvial.encoding.int8 import Int8Encoding

ENCODINGS: dict[str, TensorEncoding] = {encoding.name: encoding for encoding in (Float32Encoding(), Int8Encoding())}


def get(name: str) -> TensorEncoding:
    """The encoding of this name. Raises ValueError."""
    if name not in ENCODINGS:
        raise ValueError(f"no tensor encoding {name!r}; there are {', '.join(ENCODINGS)}")
    return ENCODINGS[name]


__all__ = ["ENCODINGS", "Float32Encoding", "Int8Encoding", "TensorEncoding", "get"]
