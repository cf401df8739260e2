"""Uploading the chunks of an update: a bounded window of unacknowledged bytes, each acknowledgement kept before the
next step.

After a crash the chunks whose positions are kept are not sent again. A chunk that the broker had written, but whose
acknowledgement had not been kept, is sent a second time; at most one window. The first copy is an orphan that no
envelope refers to, and expires.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from fluvial.edge.errors import TransportUnavailable
from fluvial.edge.outbox import Outbox, Upload
from fluvial.edge.transport import Position, Transport
from fluvial.wire.layout import chunk_partition

WINDOW_BYTES = 8 << 20
"""Bytes on their way at once, where the caller does not say."""

_ACKNOWLEDGEMENT_SECONDS = 150.0  # beyond the clients' own delivery timeout of 120 s, which normally speaks first


class _InFlight(NamedTuple):
    chunk: int
    length: int
    sent: Future[Position]


class Uploader:
    """Sends what an upload still lacks."""

    def __init__(self, transport: Transport, outbox: Outbox, topic: str, window_bytes: int = WINDOW_BYTES) -> None:
        self._transport = transport
        self._outbox = outbox
        self._topic = topic
        self._window_bytes = window_bytes

    def upload(self, upload: Upload, on_acknowledged: Callable[[int, int], None]) -> None:
        """Returns when every chunk has a position. on_acknowledged(number kept so far, number of chunks), after each
        was kept.

        Raises TransportUnavailable or TransportFailed; what was acknowledged until then is kept.
        """
        chunks = self._outbox.chunks(upload.upload_id)
        missing = [chunk for chunk in chunks if chunk.offset is None]
        if not missing:
            return
        num_partitions = self._transport.num_partitions(self._topic)
        window: deque[_InFlight] = deque()
        self._num_kept = len(chunks) - len(missing)
        for chunk in missing:
            while window and sum(sent.length for sent in window) + chunk.length > self._window_bytes:
                self._collect(upload, window, len(chunks), on_acknowledged)
            sent = self._transport.produce(
                self._topic,
                self._outbox.chunk_bytes(upload.upload_id, chunk.chunk),
                key=upload.upload_id.encode(),
                partition=chunk_partition(upload.task, chunk.chunk, num_partitions),
            )
            window.append(_InFlight(chunk.chunk, chunk.length, sent))
        while window:
            self._collect(upload, window, len(chunks), on_acknowledged)

    def _collect(
        self, upload: Upload, window: deque[_InFlight], num_chunks: int, on_acknowledged: Callable[[int, int], None]
    ) -> None:
        """Waits for the oldest chunk of the window, then keeps all that are done, in one commit."""
        failure: Exception | None = None
        positions: dict[int, Position] = {}
        try:
            positions[window[0].chunk] = window[0].sent.result(_ACKNOWLEDGEMENT_SECONDS)
        except TimeoutError:
            failure = TransportUnavailable(f"{self._topic}: no acknowledgement in {_ACKNOWLEDGEMENT_SECONDS:.0f} s")
        except Exception as error:
            failure = error
        for sent in list(window):
            if sent.sent.done():
                window.remove(sent)
                if sent.sent.exception() is None:
                    positions[sent.chunk] = sent.sent.result()
        self._outbox.acknowledge(upload.upload_id, positions)
        for _ in positions:
            self._num_kept += 1
            on_acknowledged(self._num_kept, num_chunks)
        if failure is not None:
            raise failure
