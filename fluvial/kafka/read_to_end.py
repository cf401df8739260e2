"""Reading a topic to its present end, as one does with compacted topics, whose records together are a table."""

import time
from collections.abc import Iterator
from contextlib import closing

from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import End, Message, Reader, Transport

_POLL_SECONDS = 0.2


def read_to_end(reader: Reader, stall_seconds: float) -> Iterator[Message]:
    """What the topic held when the reader was opened, or holds before the reader's `until`.

    Raises TransportUnavailable when nothing arrives for `stall_seconds`.
    """
    progress = time.monotonic()
    while True:
        done = reader.caught_up()
        messages = reader.poll(0.0 if done else _POLL_SECONDS)
        yield from messages
        if done:
            return
        if messages:
            progress = time.monotonic()
        elif time.monotonic() - progress > stall_seconds:
            raise TransportUnavailable(f"nothing arrived for {stall_seconds:.0f} s, before the end of the topic")


def read_all(transport: Transport, topic: str, stall_seconds: float) -> Iterator[Message]:
    """What the topic holds now, by a reader that goes no further: the broker never lets it wait for what comes next.

    Raises TransportUnavailable, also when nothing arrives for `stall_seconds`.
    """
    with closing(transport.read(topic, until=End.PRESENT)) as reader:
        yield from read_to_end(reader, stall_seconds)
