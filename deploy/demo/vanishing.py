"""A device that disappears in the middle of an upload: its connection hangs there, and its process is killed.

The second process opens the same outbox and finds an upload under way, so it does not hang again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from deploy.demo.cast import VANISHING_ROUND
from deploy.demo.forwarding import ForwardingTransport
from deploy.demo.reports import Reporter, Stuck
from fluvial.edge.outbox import Outbox
from fluvial.kafka import Position, Transport
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics


def hang_for_ever() -> None:
    """Until the process is killed."""
    threading.Event().wait()


class VanishingTransport(ForwardingTransport):
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
        super().__init__(transport)
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
        return super().produce(topic, value, key=key, partition=partition)

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
