"""A device that disappears in the middle of an upload: its connection hangs there, and its process is killed.

The second process opens the same outbox and finds an upload under way, so it does not hang again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future

from deploy.demo.cast import VANISHING_ROUND
from deploy.demo.reports import Reporter, Stuck
from fluvial.edge.outbox import Outbox
from fluvial.kafka import FETCH_TIMEOUT_SECONDS, Bounds, Place, Position, Reader, Start, Transport
from fluvial.kafka.interface import Take
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics


def hang_for_ever() -> None:
    """Until the process is killed."""
    threading.Event().wait()


class VanishingTransport:
    """A Transport that hangs once armed: in its round, before the chunk in the middle, or where there is none, before
    the envelope. It relies on an upload window of one chunk: when a chunk is sent, those before it are acknowledged."""

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        member: str,
        reporter: Reporter,
        hang: Callable[[], object] = hang_for_ever,
    ) -> None:
        self._transport = transport
        self._topics = topics
        self._member = member
        self._reporter = reporter
        self._hang = hang
        self._outbox: Outbox | None = None
        self._task = ""

    def arm(self, outbox: Outbox, task_file: TaskFile) -> None:
        """Hang in the upload of the vanishing round, unless the outbox has got that far in an earlier life."""
        if outbox.upload_of(task_file.task, VANISHING_ROUND) is None:
            self._outbox, self._task = outbox, task_file.task

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        if self._outbox is not None and topic in (self._topics.update_blobs, self._topics.updates):
            self._hang_in_the_middle(self._outbox, is_envelope=topic == self._topics.updates)
        return self._transport.produce(topic, value, key=key, partition=partition)

    def num_partitions(self, topic: str) -> int:
        return self._transport.num_partitions(topic)

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        return self._transport.bounds(topic)

    def read(
        self,
        topic: str,
        start: Start | int | Mapping[int, int] = Start.BEGINNING,
        until: Mapping[int, int] | None = None,
    ) -> Reader:
        return self._transport.read(topic, start, until)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        self._transport.fetch_each(topic, places, take, timeout)

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        return self._transport.fetch(topic, places, timeout)

    def close(self) -> None:
        self._transport.close()

    def _hang_in_the_middle(self, outbox: Outbox, *, is_envelope: bool) -> None:
        upload = outbox.upload_of(self._task, VANISHING_ROUND)
        if upload is None:
            return
        chunks = outbox.chunks(upload.upload_id)
        num_acknowledged = sum(chunk.offset is not None for chunk in chunks)
        if is_envelope or num_acknowledged >= (len(chunks) + 1) // 2:
            self._reporter.report(
                Stuck(
                    member=self._member,
                    round=VANISHING_ROUND,
                    num_acknowledged=num_acknowledged,
                    num_chunks=len(chunks),
                )
            )
            self._hang()
