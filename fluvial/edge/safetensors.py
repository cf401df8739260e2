"""Models as safetensors files: no code in them, and any framework reads them. Format: the safetensors specification (an
8-byte little-endian header length, a JSON header, the tensors' bytes), written here so that the client needs no further
package.
"""

import json
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from fluvial.wire.records import TensorLayout

_ALIGNMENT = 8


def to_safetensors(model_D: NDArray[np.float32], layout: Sequence[TensorLayout], metadata: Mapping[str, str]) -> bytes:
    """The file's bytes. Raises ValueError when the layout has another number of elements than the model."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    position = 0
    for tensor in layout:
        length = 4 * prod(tensor.shape)
        header[tensor.name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [position, position + length],
        }
        position += length
    if position != 4 * model_D.size:
        raise ValueError(f"a layout of {position // 4} elements for a model of {model_D.size}")
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + model_D.astype("<f4", copy=False).tobytes()
