"""Many records of one type read at once, field by field instead of record by record.

What the interpreter does for each field of each record, numpy does here for a field of all of them. Only plain records
are read: canonical bytes (`fluvial.wire.framing`) of a first version, whose texts are ASCII and whose numbers are
short of 64 bits, as is nearly all that stages write. A record that is not plain may be good or bad; `framing.decode`
says which. For some dozens of records this is faster than that, for few slower.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fluvial.wire._generated.versions import VERSIONS
from fluvial.wire.framing import HEADER_BYTES, MAGIC, MAX_RECORD_BYTES
from fluvial.wire.version import Version

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_PADDING = 16
"""Zeros behind the last record: a reader looks at most at a number's ten bytes before it asks where its record ends."""
LONGEST_COMPARED = 256
"""Bytes of a part that is compared with another one, of each row; a name has at most half of that."""
_MOST_BITS = 63
_GROUP_BITS = 7


@dataclass(frozen=True, slots=True)
class Spans:
    """Parts of a block, one a row: where each begins and ends."""

    starts: Integers
    ends: Integers


class Block:
    """Byte strings one after the other. values: the strings; `rows` says where they lie."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self.bytes = b"".join(values)
        self.data = np.frombuffer(self.bytes + bytes(_PADDING), np.uint8)
        ends = np.fromiter(accumulate(map(len, values)), np.int64, len(values))
        self.rows = Spans(np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1])), ends)

    def are_ascii(self, texts: Sequence[Spans]) -> Flags:
        """Of each row whether these parts of it are text of ASCII alone."""
        if not texts or not len(self.rows.starts):
            return np.ones(len(self.rows.starts), np.bool_)
        bounds = np.array([(spans.starts, spans.ends) for spans in texts], np.int64).transpose(2, 0, 1)
        # The largest byte between each bound and the next; between a part and the next one nobody asks.
        largest = np.maximum.reduceat(self.data, bounds.ravel())[::2].reshape(bounds.shape[:2])
        same: Flags = ((largest < 0x80) | (bounds[:, :, 0] == bounds[:, :, 1])).all(axis=1)
        return same

    def same(self, these: Spans, those: Spans) -> Flags:
        """Of each row whether two parts of it are the same bytes; no longer than `LONGEST_COMPARED`."""
        lengths = these.ends - these.starts
        same: Flags = (lengths == those.ends - those.starts) & (lengths <= LONGEST_COMPARED)
        places = np.arange(lengths.max(initial=0, where=same))
        first, second = (
            self.data[np.minimum(spans.starts[:, None] + places, len(self.bytes))] for spans in (these, those)
        )
        same &= ((first == second) | (places >= lengths[:, None])).all(axis=1)
        return same

    def equal(self, spans: Spans, expected: bytes) -> Flags:
        """Of each part whether it is these bytes."""
        last = len(self.bytes) - len(expected)
        if last < 0:
            return np.zeros(len(spans.starts), np.bool_)
        places = np.minimum(spans.starts, last)[:, None] + np.arange(len(expected))
        same: Flags = (self.data[places] == np.frombuffer(expected, np.uint8)).all(axis=1)
        same &= spans.ends - spans.starts == len(expected)
        return same

    def begin_with(self, spans: Spans, expected: bytes) -> Flags:
        """Of each part whether it begins with these bytes."""
        heads = Spans(spans.starts, np.minimum(spans.ends, spans.starts + len(expected)))
        return self.equal(heads, expected)


@dataclass(frozen=True, slots=True)
class Columns:
    """The records of one type in a block. plain: which rows are read; nothing is said of the others. spans: of texts
    and bytes. numbers: of integers, and of an enum the symbol's place. A field of a record in a record is "event.id".
    """

    plain: Flags
    spans: dict[str, Spans]
    numbers: dict[str, Integers]

    @classmethod
    def read(cls, block: Block, rows: Spans, kind: type) -> Self:
        """Read the records of a type that these parts of a block are, in its first version, in which all are written
        that need no newer one. Raises ValueError for a type that has optional fields, lists or maps."""
        version = VERSIONS[kind][0]
        reader = _Reader(block, rows, MAGIC + version.fingerprint)
        spans: dict[str, Spans] = {}
        numbers: dict[str, Integers] = {}
        for name, avro_type, symbols in _fields(version):
            match avro_type:
                case "string" | "bytes":
                    spans[name] = reader.span(text=avro_type == "string")
                case "long" | "int":
                    numbers[name] = reader.number(bits=64 if avro_type == "long" else 32)
                case "enum":
                    numbers[name] = reader.symbol(symbols)
                case "double":
                    reader.double()
        whole = (reader.at == rows.ends) & (rows.ends - rows.starts <= MAX_RECORD_BYTES)
        return cls(reader.plain & whole & block.are_ascii(reader.texts), spans, numbers)


class _Reader:
    """Where each row is read on. texts: the parts so far that must be ASCII."""

    def __init__(self, block: Block, rows: Spans, header: bytes) -> None:
        self._block, self._ends = block, rows.ends
        self.texts: list[Spans] = []
        self.plain = block.begin_with(rows, header)
        self.at = np.minimum(rows.starts + HEADER_BYTES, rows.ends)

    def span(self, *, text: bool) -> Spans:
        length = self._zigzag()
        self._keep_within()
        starts = self.at
        ends = starts + (length >> 1)
        self.plain &= (length & 1 == 0) & (ends <= self._ends)
        self.at = np.minimum(ends, self._ends)
        found = Spans(starts, self.at)
        if text:
            self.texts.append(found)
        return found

    def number(self, bits: int) -> Integers:
        zigzag = self._zigzag()
        self._keep_within()
        if bits == 32:
            self.plain &= zigzag >> bits == 0
        number: Integers = (zigzag >> 1) ^ -(zigzag & 1)
        return number

    def symbol(self, count: int) -> Integers:
        zigzag = self._zigzag()
        self._keep_within()
        self.plain &= (zigzag & 1 == 0) & (zigzag >> 1 < count)
        place: Integers = zigzag >> 1
        return place

    def double(self) -> None:
        """Passed over, unless it is no number, of which there are many bytes."""
        values = self._block.data[self.at[:, None] + np.arange(8)].view("<f8")[:, 0]
        self.plain &= ~np.isnan(values)
        self.at = self.at + 8
        self._keep_within()

    def _keep_within(self) -> None:
        self.plain &= self.at <= self._ends
        self.at = np.minimum(self.at, self._ends)

    def _zigzag(self) -> Integers:
        """The next number's form as it is written (`fluvial.wire.varint`)."""
        value = self._block.data[self.at].astype(np.int64)
        self.at = self.at + 1
        rows = np.flatnonzero(value > 0x7F)
        value[rows] &= 0x7F
        shift = _GROUP_BITS
        while rows.size and shift < _MOST_BITS:
            group = self._block.data[self.at[rows]].astype(np.int64)
            self.at[rows] += 1
            value[rows] |= (group & 0x7F) << shift
            self.plain[rows[group == 0]] = False  # a shorter form is the same number
            rows = rows[group > 0x7F]
            shift += _GROUP_BITS
        self.plain[rows] = False
        read: Integers = value
        return read


@cache
def _fields(version: Version) -> tuple[tuple[str, str, int], ...]:
    """Name, Avro type and number of symbols of each field, in the order of their bytes."""
    return tuple(_flat("", json.loads(version.schema), version))


def _flat(prefix: str, schema: Any, version: Version) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    for field in schema["fields"]:
        name, kind = prefix + field["name"], field["type"]
        match kind:
            case "string" | "bytes" | "long" | "int" | "double":
                found.append((name, kind, 0))
            case {"type": "enum", "symbols": symbols}:
                found.append((name, "enum", len(symbols)))
            case {"type": "record"}:
                found += _flat(f"{name}.", kind, version)
            case _:
                raise ValueError(f"{version} has fields that are not read in columns, as {name}")
    return found
