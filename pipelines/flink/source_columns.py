"""The records of a bundle of source frames by column: what is asked of all of them is read of all of them at once.

Of a large bundle numpy reads the heads of its frames together, and no record is made but those that are asked for: a
third of the time of `pipelines.flink.bundles.parse_sources`, which reads small bundles.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from pipelines.flink.bundles import HEAD_BYTES, check_sources, parse_sources
from pipelines.flink.frames import SourceRecord

_LENGTH = struct.Struct(">i")
_ITEM = np.dtype([("length", ">i4"), ("partition", ">i4"), ("offset", ">i8"), ("timestamp", ">i8"), ("key", ">i4")])
"""How an item of the bundle begins; "key" is the key's length."""


@dataclass(slots=True)
class SourceColumns:
    """partitions, offsets, values: of each record. records: those that were made already, by row."""

    partitions: list[int]
    offsets: list[int]
    values: list[bytes]
    records: dict[int, SourceRecord]
    _bundle: bytes = b""
    _starts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, bundle: bytes, together_from: int) -> Self:
        """together_from: how many records are many. Raises ValueError if it is no bundle of source frames, or was cut
        short."""
        check_sources(bundle)
        starts, at, size, unpack = [], HEAD_BYTES, len(bundle), _LENGTH.unpack_from
        while size - at >= _ITEM.itemsize:
            starts.append(at)
            at += _LENGTH.size + max(0, unpack(bundle, at)[0])
        if at != size or len(starts) < max(1, together_from):
            return cls.of_records(parse_sources(bundle))
        heads = np.frombuffer(bundle, np.uint8)[np.array(starts)[:, None] + np.arange(_ITEM.itemsize)].view(_ITEM)[:, 0]
        begins = np.array(starts) + _ITEM.itemsize + np.maximum(heads["key"], 0)
        ends = np.array([*starts[1:], size])
        if (begins > ends).any():
            return cls.of_records(parse_sources(bundle))  # which says what is wrong with it
        values = [bundle[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        return cls(heads["partition"].tolist(), heads["offset"].tolist(), values, {}, bundle, starts)

    @classmethod
    def of_records(cls, records: Sequence[SourceRecord]) -> Self:
        """The columns of records."""
        return cls(
            [record.partition for record in records],
            [record.offset for record in records],
            [record.value for record in records],
            dict(enumerate(records)),
        )

    def __len__(self) -> int:
        return len(self.values)

    def record(self, row: int) -> SourceRecord:
        """The whole record of a row."""
        made = self.records.get(row)
        if made is None:
            head = np.frombuffer(self._bundle, _ITEM, 1, self._starts[row])[0]
            begin, key_length = self._starts[row] + _ITEM.itemsize, int(head["key"])
            key = self._bundle[begin : begin + key_length] if key_length >= 0 else None
            place = self.partitions[row], self.offsets[row], int(head["timestamp"])
            made = self.records[row] = SourceRecord(*place, key, self.values[row])
        return made
