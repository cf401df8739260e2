"""What runs between the operators of aggregation, as typed messages.

`pipelines.flink.messages` frames them, with the key that the next operator is keyed by (task, task/round, or shard) and
the kind's name; a field is a part. They lie in checkpoints and never leave the job. Records in them are bytes of the
contract's codecs; where an operator only passes them on they stay bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, get_type_hints

import numpy as np

from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, ChunkReference, Round, Task
from models.aggregation.plan import Plan
from pipelines.aggregation.rule import plan_message
from pipelines.aggregation.shards.measuring import Measurements
from pipelines.flink.messages import pack

Chunks = dict[int, ChunkReference]
"""Chunks of a new model by index; the moments of its optimizer follow the model's."""


class Place(NamedTuple):
    """Which round of a task, in order of time."""

    round: int
    attempt: int


class Message:
    """Base of the messages, which are dataclasses. kind: its name in the frame."""

    __slots__ = ()
    kind: ClassVar[str]

    def packed(self, key: str) -> bytes:
        """The message for the operator's subtask of that key."""
        return pack(key, self.kind, self.parts())

    def parts(self) -> list[bytes]:
        return [dump(getattr(self, name)) for name, (dump, _) in _codecs(type(self))]

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> Self:
        """The message that `parts` gave."""
        return cls(*(load(part) for (_, (_, load)), part in zip(_codecs(cls), parts, strict=True)))


@lru_cache(maxsize=64)
def decoded_round(data: bytes) -> Round:
    """Decoded rounds, by their bytes: a round of many chunks takes longer to decode than all else in a step."""
    return decode(data, Round)


@dataclass(frozen=True, slots=True)
class WithUpdates(Message):
    """A round, and updates of it ordered by the digest of their records."""

    encoded_round: bytes
    encoded_updates: tuple[bytes, ...]

    @property
    def round(self) -> Round:
        return decoded_round(self.encoded_round)

    @property
    def updates(self) -> list[AcceptedUpdate]:
        return _decoded(self.encoded_updates)


# From the window.


@dataclass(frozen=True, slots=True)
class Begin(Message):
    """To the shards: a round of a rule that adds updates as they come is open."""

    kind = "begin"
    encoded_round: bytes


@dataclass(frozen=True, slots=True)
class Add(Message):
    """To the shards: updates that were admitted to such a round."""

    kind = "add"
    task: str
    place: Place
    encoded_updates: tuple[bytes, ...]

    @property
    def updates(self) -> list[AcceptedUpdate]:
        return _decoded(self.encoded_updates)


class MeasureRound(WithUpdates):
    """To the shards: measure these updates for the rule."""

    __slots__ = ()
    kind = "measure"


class Closed(WithUpdates):
    """To the rule: the round has closed on these updates."""

    __slots__ = ()
    kind = "closed"


@dataclass(frozen=True, slots=True)
class RoundFailed(Message):
    """To the keeper: the round ended without a quorum."""

    kind = "failed"
    place: Place
    num_updates: int
    reason: str


# From the shards.


@dataclass(frozen=True, slots=True)
class Measured(Message):
    """To the rule: what a shard measured."""

    kind = "measured"
    place: Place
    measurements: Measurements


@dataclass(frozen=True, slots=True)
class NotMeasured(Message):
    """To the rule: a shard could not measure, and why."""

    kind = "not-measured"
    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class ShardDone(Message):
    """To the keeper: a shard has written its chunks of the new model."""

    kind = "shard-done"
    place: Place
    chunks: Chunks


@dataclass(frozen=True, slots=True)
class ShardFailed(Message):
    """To the keeper: a shard could not make its chunks of the new model, and why."""

    kind = "shard-failed"
    place: Place
    reason: str


# From the rule.


@dataclass(frozen=True, slots=True)
class CombineRound(WithUpdates):
    """To the shards: make of exactly these updates what the plan says."""

    kind = "combine"
    plan: Plan


@dataclass(frozen=True, slots=True)
class Selected(Message):
    """To the keeper: all updates of a round, ordered by record digest and without their content, with what the
    coefficients of each add up to; and what the sums are divided by."""

    kind = "selected"
    place: Place
    updates: tuple[AcceptedUpdate, ...]
    effective_weights: tuple[int, ...]
    total_weight: int


@dataclass(frozen=True, slots=True)
class Undecided(Message):
    """To the keeper: the rule could make nothing of a round's updates, and why."""

    kind = "undecided"
    place: Place
    updates: tuple[AcceptedUpdate, ...]
    reason: str


# How fields are written.

_NUMBER = struct.Struct(">q")
_PLACE = struct.Struct(">qi")
_LENGTH = struct.Struct(">I")
_CHUNK = struct.Struct(">IiqI32s")
_SHAPE = struct.Struct(">II")

_Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]


def _decoded(updates: Sequence[bytes]) -> list[AcceptedUpdate]:
    return [decode(data, AcceptedUpdate) for data in updates]


def _dump_list(items: Sequence[bytes]) -> bytes:
    return b"".join(part for item in items for part in (_LENGTH.pack(len(item)), item))


def _load_list(data: bytes) -> tuple[bytes, ...]:
    items, at = [], 0
    while at < len(data):
        start = at + _LENGTH.size
        at = start + _LENGTH.unpack_from(data, at)[0]
        items.append(data[start:at])
    return tuple(items)


def _dump_chunks(chunks: Chunks) -> bytes:
    return b"".join(
        _CHUNK.pack(index, chunk.partition, chunk.offset, chunk.length, chunk.sha256) for index, chunk in chunks.items()
    )


def _load_chunks(data: bytes) -> Chunks:
    return {
        index: ChunkReference(partition=partition, offset=offset, length=length, sha256=digest)
        for index, partition, offset, length, digest in _CHUNK.iter_unpack(data)
    }


def _dump_measurements(measurements: Measurements) -> bytes:
    shape = next(iter(measurements.values())).shape if measurements else (0,)
    indices = np.array(list(measurements), ">u4").tobytes()
    values = b"".join(measured.astype("<f8").tobytes() for measured in measurements.values())
    return _dump_list((_SHAPE.pack(shape[0], len(shape)), indices, values))


def _load_measurements(data: bytes) -> Measurements:
    shape, encoded, values = _load_list(data)
    size, dimensions = _SHAPE.unpack(shape)
    indices = np.frombuffer(encoded, ">u4").tolist()
    measured = np.frombuffer(values, "<f8").reshape(len(indices), *(size,) * dimensions)
    return dict(zip(indices, measured, strict=True))


def _load_number(data: bytes) -> int:
    number: int = _NUMBER.unpack(data)[0]
    return number


_CODECS: dict[Any, _Codec] = {
    bytes: (bytes, bytes),
    str: (str.encode, bytes.decode),
    int: (_NUMBER.pack, _load_number),
    Place: (lambda place: _PLACE.pack(*place), lambda data: Place(*_PLACE.unpack(data))),
    Plan: (plan_message.dump, plan_message.load),
    Task: (encode, lambda data: decode(data, Task)),
    tuple[bytes, ...]: (_dump_list, _load_list),
    tuple[int, ...]: (
        lambda numbers: np.array(numbers, ">i8").tobytes(),
        lambda data: tuple(np.frombuffer(data, ">i8").tolist()),
    ),
    tuple[AcceptedUpdate, ...]: (
        lambda updates: _dump_list([encode(update) for update in updates]),
        lambda data: tuple(_decoded(_load_list(data))),
    ),
    Chunks: (_dump_chunks, _load_chunks),
    Measurements: (_dump_measurements, _load_measurements),
}


_of_kind: dict[type[Message], tuple[tuple[str, _Codec], ...]] = {}


def _codecs(kind: type[Message]) -> tuple[tuple[str, _Codec], ...]:
    """Name and codec of each field, in their order."""
    if kind not in _of_kind:
        types = get_type_hints(kind)
        _of_kind[kind] = tuple((field.name, _CODECS[types[field.name]]) for field in fields(kind))  # type: ignore[arg-type]
    return _of_kind[kind]
