"""Reading a topic to its present end, as one does with compacted topics, whose records together are a table."""

import time
from collections.abc import Iterator

from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.interface import Message, Reader

_POLL_SECONDS = 0.2


def read_to_end(reader: Reader, timeout: float) -> Iterator[Message]:
    """What the topic held when the reader was opened.

    Raises TransportUnavailable when that takes more than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        done = reader.caught_up()
        yield from reader.poll(0.0 if done else _POLL_SECONDS)
        if done:
            return
        if time.monotonic() > deadline:
            raise TransportUnavailable(f"the topic was not read to its end within {timeout:.0f} s")
