"""Several topics as they were at one moment, to be read as often as one likes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from fluvial.identity.brokers import Brokers
from fluvial.kafka.connection import connect
from fluvial.kafka.interface import Message, Transport
from fluvial.kafka.read_to_end import read_to_end

STALL_SECONDS = 30.0
_POLL_SECONDS = 0.5


class Snapshot:
    """Committed records of topics, from the first one kept to the end that each topic had when this was made.

    topics: full names, in the order in which their ends are taken. Raises TransportError if one cannot be read, also
    later: when nothing arrives for `stall_seconds`, or when retention removes what is yet to be read.
    """

    def __init__(self, transport: Transport, topics: Sequence[str], *, stall_seconds: float = STALL_SECONDS) -> None:
        self._transport = transport
        self._stall_seconds = stall_seconds
        self._bounds = {topic: transport.bounds(topic) for topic in topics}

    def begin_offsets(self, topic: str) -> Mapping[int, int]:
        """By partition, the first offset that retention has left. Every partition of the topic is in it."""
        return {number: held.first for number, held in self._bounds[topic].items()}

    def records(self, topic: str, since_ms: int = 0) -> Iterator[Message]:
        """All records of this broker time or later, each partition in the order of its offsets, which have gaps. Can be
        called again."""
        ends = {number: held.end for number, held in self._bounds[topic].items()}
        begin = dict(self.begin_offsets(topic))
        if since_ms > 0:
            found = self._transport.offsets_at(topic, since_ms)
            begin = {number: min(max(first, found.get(number, first)), ends[number]) for number, first in begin.items()}
        with closing(self._transport.read(topic, begin, ends)) as reader:
            yield from read_to_end(reader, self._stall_seconds)

    def follow(self, topic: str) -> Iterator[Message]:
        """The records after the end, as they arrive, without end."""
        ends = {number: held.end for number, held in self._bounds[topic].items()}
        with closing(self._transport.read(topic, ends)) as reader:
            while True:
                yield from reader.poll(_POLL_SECONDS)


@contextmanager
def snapshot(brokers: Brokers, topics: Sequence[str], client_id: str) -> Iterator[Snapshot]:
    """A snapshot over a connection of its own, which ends with the context."""
    with closing(connect(brokers, client_id)) as transport:
        yield Snapshot(transport, topics)
