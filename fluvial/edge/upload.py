"""Uploading the chunks of an update: a bounded window of unacknowledged bytes, each acknowledgement kept before the
next step.

After a crash the chunks whose positions are kept are not sent again. A chunk that the broker had written, but whose
acknowledgement had not been kept, is sent a second time; at most one window. The first copy is an orphan that no
envelope refers to, and expires.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import NamedTuple

from fluvial.edge.outbox import Outbox, OutboxChunk, Upload
from fluvial.kafka import Position, Transport, TransportUnavailable
from fluvial.wire.layout import chunk_partition

WINDOW_BYTES = 8 << 20
"""Bytes on their way at once, where the caller does not say."""

_SYNC_SECONDS = 2.0
"""An upload that takes longer has its bytes forced to disk; the usual one is over before that would have paid."""

_ACKNOWLEDGEMENT_SECONDS = 150.0  # beyond the clients' own delivery timeout of 120 s, which normally speaks first


class _InFlight(NamedTuple):
    chunk: int
    length: int
    sent: Future[Position]


class Uploader:
    """Sends what an upload still lacks. participant: whose the chunks are, which their key says: an update that names
    chunks of another participant is refused."""

    def __init__(
        self, transport: Transport, outbox: Outbox, topic: str, participant: str, window_bytes: int = WINDOW_BYTES
    ) -> None:
        self._transport = transport
        self._outbox = outbox
        self._topic = topic
        self._key = participant.encode()
        self._window_bytes = window_bytes

    def upload(self, upload: Upload, on_acknowledged: Callable[[int, int], None]) -> int:
        """Returns when every chunk has a position: how many were sent now. on_acknowledged(number kept so far, number
        of chunks), after each was kept.

        Raises TransportUnavailable or TransportFailed; what was acknowledged until then is kept.
        """
        chunks = self._outbox.chunks(upload.upload_id)
        missing = [chunk for chunk in chunks if chunk.offset is None]
        if not missing:
            return 0
        window = _Window(self._outbox, upload.upload_id, len(chunks) - len(missing), len(chunks), on_acknowledged)
        try:
            self._send(upload, missing, window)
        except BaseException:
            self._outbox.sync(upload.upload_id)
            raise
        return len(missing)

    def _send(self, upload: Upload, missing: list[OutboxChunk], window: "_Window") -> None:
        num_partitions = self._transport.num_partitions(self._topic)
        sync_at = time.monotonic() + _SYNC_SECONDS
        for chunk in missing:
            if time.monotonic() > sync_at:
                self._outbox.sync(upload.upload_id)
                sync_at = float("inf")
            while window.in_flight and window.num_bytes + chunk.length > self._window_bytes:
                window.collect()
            data = self._outbox.chunk_bytes(upload.upload_id, chunk.chunk)
            partition = chunk_partition(upload.task, chunk.chunk, num_partitions)
            sent = self._transport.produce(self._topic, data, key=self._key, partition=partition)
            window.in_flight.append(_InFlight(chunk.chunk, chunk.length, sent))
        while window.in_flight:
            window.collect()


class _Window:
    """The chunks that are on their way."""

    def __init__(
        self,
        outbox: Outbox,
        upload_id: str,
        num_kept: int,
        num_chunks: int,
        on_acknowledged: Callable[[int, int], None],
    ) -> None:
        self.in_flight: deque[_InFlight] = deque()
        self._outbox = outbox
        self._upload_id = upload_id
        self._num_kept = num_kept
        self._num_chunks = num_chunks
        self._on_acknowledged = on_acknowledged

    @property
    def num_bytes(self) -> int:
        return sum(sent.length for sent in self.in_flight)

    def collect(self) -> None:
        """Waits for the oldest chunk, then keeps all that are acknowledged, in one commit.

        When one has failed, waits for the others before it raises that failure: what they achieved is kept as well.
        """
        wait([self.in_flight[0].sent], _ACKNOWLEDGEMENT_SECONDS)
        if any(sent.sent.done() and sent.sent.exception() is not None for sent in self.in_flight):
            wait([sent.sent for sent in self.in_flight], _ACKNOWLEDGEMENT_SECONDS)
        done = [sent for sent in self.in_flight if sent.sent.done()]
        failures = [failure for sent in done if (failure := sent.sent.exception()) is not None]
        positions = {sent.chunk: sent.sent.result() for sent in done if sent.sent.exception() is None}
        for sent in done:
            self.in_flight.remove(sent)
        self._outbox.acknowledge(self._upload_id, positions)
        for _ in positions:
            self._num_kept += 1
            self._on_acknowledged(self._num_kept, self._num_chunks)
        if failures:
            raise failures[0]
        if not done:
            raise TransportUnavailable(f"no acknowledgement of a chunk in {_ACKNOWLEDGEMENT_SECONDS:.0f} s")
