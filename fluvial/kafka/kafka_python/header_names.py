"""Records with headers whose names are no UTF-8, which a broker takes from whoever may write to a topic.

kafka-python takes such a record for a damaged one and never goes past it: a single one would keep every reader of its
topic from all that follows. Here the bytes that are none become question marks, before the name is read.
"""

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

_FIELDS_BEFORE_KEY = 3
"""Attributes, time and offset of a record, each a number."""


class LenientBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch of records (Kafka's message format 2)."""

    __slots__ = ()
    _buffer: bytearray
    _pos: int

    def _read_msg(self, *arguments: Any) -> Any:
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:
            # It has not moved on: the place of the next record is set when one was read.
            _spell_out(self._buffer, self._pos)
            return super()._read_msg(*arguments)


def read_any_header_name() -> None:
    """Have the library read batches so; once is enough."""
    memory_records.DefaultRecordBatch = LenientBatch


def _spell_out(buffer: bytearray, position: int) -> None:
    """Replace what is no ASCII in the names of the headers of the record there."""
    _, position = decode_varint(buffer, position)
    for _ in range(_FIELDS_BEFORE_KEY):
        _, position = decode_varint(buffer, position)
    for _ in ("key", "value"):
        length, position = decode_varint(buffer, position)
        position += max(0, length)
    count, position = decode_varint(buffer, position)
    for _ in range(count):
        length, position = decode_varint(buffer, position)
        name = bytes(buffer[position : position + length])
        buffer[position : position + length] = bytes(byte if byte < 0x80 else ord("?") for byte in name)
        position += length
        length, position = decode_varint(buffer, position)
        position += max(0, length)
