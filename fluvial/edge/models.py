"""Models from their references: every chunk's digest and the model's own are checked before anything is returned.

Chunks are read as they lie in the log, each partition forward once, and go to their places in the model at once.

Shapes: D parameters.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fluvial.kafka import Place, Transport
from fluvial.wire.errors import VerificationError
from fluvial.wire.foreign_text import logger
from fluvial.wire.layout import model_digest
from fluvial.wire.records import ChunkReference

_CACHE_BYTES = 512 << 20
_CACHE_MODELS = 32
"""One that lies in a file of the host holds two open files."""

_log = logger(__name__)


def load_model(
    transport: Transport, topic: str, chunks: Sequence[ChunkReference], digest: bytes, num_elements: int
) -> NDArray[np.float32]:
    """The model_D that `digest` names, read from its chunks.

    Raises VerificationError when digests or lengths do not fit, ChunkUnavailable and TransportUnavailable when it
    cannot be read.
    """
    check_references(chunks, digest, num_elements)
    model_D = np.empty(num_elements, dtype="<f4")
    model_bytes = model_D.view(np.uint8)
    slots: dict[Place, list[tuple[int, ChunkReference]]] = {}
    position = 0
    for chunk in chunks:
        slots.setdefault((chunk.partition, chunk.offset), []).append((position, chunk))
        position += chunk.length

    def take(place: Place, value: bytes) -> None:
        sha256 = hashlib.sha256(value).digest()
        for start, chunk in slots[place]:
            if len(value) != chunk.length or sha256 != chunk.sha256:
                raise VerificationError(f"chunk at partition {place[0]}, offset {place[1]} has other bytes")
            model_bytes[start : start + chunk.length] = np.frombuffer(value, np.uint8)

    transport.fetch_each(topic, slots, take)
    return model_D.astype(np.float32, copy=False)


def check_references(chunks: Sequence[ChunkReference], digest: bytes, num_elements: int) -> None:
    """Whether chunks with these digests and lengths make up the model that `digest` names. Raises VerificationError."""
    if model_digest([chunk.sha256 for chunk in chunks]) != digest:
        raise VerificationError("the chunk digests do not make up the model's digest")
    if sum(chunk.length for chunk in chunks) != 4 * num_elements:
        raise VerificationError("the chunks do not make up the model's elements")


class ModelCache:
    """Models by digest, shared by the participants of one process, so that a base model is fetched once. Thread-safe.

    Arrays are read-only. The least recently used go first when `budget_bytes` is exceeded, or there are more than
    `most`; the newest stays whatever its size.
    """

    def __init__(self, budget_bytes: int = _CACHE_BYTES, most: int = _CACHE_MODELS) -> None:
        self._budget_bytes = budget_bytes
        self._most = most
        self._lock = threading.Lock()
        self._models: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._loading: dict[bytes, threading.Lock] = {}

    def get(self, digest: bytes, load: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The model of that digest; `load` is called by one thread while the others wait. Raises what `load` raises."""
        with self._lock:
            if digest in self._models:
                self._models.move_to_end(digest)
                return self._models[digest]
            turn = self._loading.setdefault(digest, threading.Lock())
        with turn:
            with self._lock:
                if digest in self._models:
                    return self._models[digest]
            model_D = load()
            model_D.flags.writeable = False
            with self._lock:
                self._models[digest] = model_D
                self._loading.pop(digest, None)
                self._shrink()
            return model_D

    def _shrink(self) -> None:
        num_bytes = sum(model.nbytes for model in self._models.values())
        while len(self._models) > 1 and (num_bytes > self._budget_bytes or len(self._models) > self._most):
            num_bytes -= self._models.popitem(last=False)[1].nbytes


SHARED_CACHE = ModelCache()
"""The process's own."""
