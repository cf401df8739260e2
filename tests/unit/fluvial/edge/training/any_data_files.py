"""Data files as anybody might give them: good ones of which some part is anything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from safetensors.numpy import save

NUM_EXAMPLES, NUM_INPUTS, NUM_CLASSES = 6, 4, 2

Pick = Callable[[Sequence[Any]], Any]
"""One of these; Hypothesis or a seeded generator chooses."""

_TYPES = ("<f4", "<f8", "<f2", "<i8", "<i4", "<i1", "<u1", "<u8", "?")
_SHAPES = ((), (0,), (1,), (6,), (5,), (6, 4), (6, 1), (6, 5), (4, 6), (0, 4), (1, 4), (6, 2, 2), (6, 0))
_FILLS = ("zeros", "ones", "counts", "negative", "largest", "nan", "infinite")
_METADATA = ("{", "[]", "null", "3", '{"sex": 3}', '{"sex": []}', '{"sex": ["one"]}', '{"sex": ["\\u202e", "", "x"]}')
_PARTS = ("inputs", "targets", "group", "groups.sex", "people", "groups.", "groups.age", "weights")


def data_file(pick: Pick) -> bytes:
    """Bytes of a data file of NUM_EXAMPLES examples for a model of NUM_INPUTS inputs, of which up to three things are
    changed, left out or added."""
    tensors: dict[str, Any] = {
        "inputs": np.linspace(-1, 1, NUM_EXAMPLES * NUM_INPUTS, dtype=np.float32).reshape(NUM_EXAMPLES, NUM_INPUTS),
        "targets": np.arange(NUM_EXAMPLES) % NUM_CLASSES,
        "groups.sex": np.arange(NUM_EXAMPLES) % 2,
    }
    groups = json.dumps({"sex": ["women", "men"]})
    for _ in range(pick(range(4))):
        what = pick(("change", "change", "leave out", "metadata"))
        if what == "metadata":
            groups = pick(_METADATA)
        elif what == "leave out":
            tensors.pop(pick(_PARTS), None)
        else:
            tensors[pick(_PARTS)] = _filled(pick(_SHAPES), pick(_TYPES), pick(_FILLS))
    raw = save(tensors, metadata={"groups": groups})
    match pick(("whole", "whole", "whole", "whole", "cut", "flipped", "empty", "text")):
        case "cut":
            return raw[: pick(range(len(raw)))]
        case "flipped":
            place = pick(range(len(raw)))
            return raw[:place] + bytes([raw[place] ^ 1 << pick(range(8))]) + raw[place + 1 :]
        case "empty":
            return b""
        case "text":
            return b"inputs,targets\n1,0\n"
    return raw


def _filled(shape: tuple[int, ...], kind: str, fill: str) -> Any:
    """Values that the type lacks (NaN of integers, what is negative of those without a sign) become others of it."""
    of = np.dtype(kind)
    size = int(np.prod(shape))
    largest = np.finfo(of).max if of.kind == "f" else np.iinfo(of).max if of.kind in "iu" else True
    values = {
        "zeros": np.zeros(size, of),
        "ones": np.ones(size, of),
        "counts": np.arange(size).astype(of),
        "negative": (-np.arange(size)).astype(of),
        "largest": np.full(size, largest, of),
        "nan": np.full(size, np.nan if of.kind == "f" else 0, of),
        "infinite": np.full(size, np.inf if of.kind == "f" else 1, of),
    }[fill]
    return values.reshape(shape)
