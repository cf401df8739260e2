"""The dishonest participants. Each does by the SDK's own means what an attacker with a patched device would do.

* The poisoner is enrolled; it trains like everyone and publishes its delta negated and scaled.
* The replayer is enrolled and contributes; after each of its updates it sends the envelope of the round before again.
* The forger is not enrolled; it signs with its own key, in one round under its own name, in the next under another's.

Shapes: D parameters.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.demo.cast import POISON_FACTOR, Member
from deploy.demo.forwarding import ForwardingTransport
from deploy.demo.reports import Reporter, Sent
from fluvial.edge.events import Event, Published
from fluvial.edge.models import SHARED_CACHE, load_model
from fluvial.edge.outbox import Outbox
from fluvial.edge.participation import Train
from fluvial.edge.publisher import Publisher
from fluvial.edge.rounds import RoundFollower
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Transport
from fluvial.registry.rounds import is_over
from fluvial.wire.records import Round, RoundStatus
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics

_POLL_SECONDS = 0.2
_SEND_SECONDS = 30.0


def poisoned(train: Train) -> Train:
    """The same training, its result negated and scaled."""

    def train_and_poison(base_D: NDArray[np.float32], round_: Round) -> tuple[NDArray[np.float32], int] | None:
        trained = train(base_D, round_)
        if trained is None:
            return None
        delta_D, weight = trained
        return (POISON_FACTOR * delta_D).astype(np.float32), weight

    return train_and_poison


class Replayer(ForwardingTransport):
    """A participant's transport that keeps what it sends, and sends its former envelope again after each new one."""

    def __init__(self, member: Member, topics: Topics, transport: Transport, reporter: Reporter) -> None:
        super().__init__(transport)
        self._member = member
        self._topic = topics.updates
        self._reporter = reporter
        self._newest = b""
        self._former: tuple[int, bytes] | None = None

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        if topic == self._topic:
            self._newest = value
        return super().produce(topic, value, key=key, partition=partition)

    def on_event(self, event: Event) -> None:
        if not isinstance(event, Published):
            return
        former, self._former = self._former, (event.round, self._newest)
        if former is None or former[0] == event.round:
            return
        again = super().produce(self._topic, former[1], key=self._member.name.encode()).result(_SEND_SECONDS)
        self._reporter.report(
            Sent(
                member=self._member.name,
                kind="replay",
                round=event.round,
                partition=again.partition,
                offset=again.offset,
                num_uploaded=0,
            )
        )


def forge(
    member: Member,
    task_file: TaskFile,
    federation: Federation,
    transport: Transport,
    outboxes: Path,
    reporter: Reporter,
) -> None:
    """Publish a forged update in every round until the task is finished: delta = -base would undo what was learnt."""
    key = SigningKey.generate()
    claims = [member.name, member.victim]
    opened = [Outbox(outboxes / f"forger-{name}.sqlite", name) for name in claims]
    publishers = [
        Publisher(transport, outbox, federation.topics, name, key) for name, outbox in zip(claims, opened, strict=True)
    ]

    def report(event: Event) -> None:
        if isinstance(event, Published):
            reporter.report(
                Sent(
                    member=member.name,
                    kind="forgery",
                    round=event.round,
                    partition=event.partition,
                    offset=event.offset,
                    num_uploaded=event.num_uploaded,
                )
            )

    follower = RoundFollower(transport, federation)
    handled: Round | None = None
    try:
        follower.refresh()
        while True:
            newest = follower.newest(task_file.task)
            if newest is not None and newest is not handled and newest.status is not RoundStatus.PAUSED:
                if is_over(newest):
                    return
                publisher = publishers[(newest.round - 1) % len(publishers)]
                base_D = _base_model(newest, federation, transport)
                upload = publisher.store(newest, -base_D, weight=newest.max_weight, encoding=newest.encodings[0])
                publisher.complete(newest, upload, report)
                handled = newest
            follower.poll(_POLL_SECONDS)
    finally:
        follower.close()
        for outbox in opened:
            outbox.close()


def _base_model(round_: Round, federation: Federation, transport: Transport) -> NDArray[np.float32]:
    return SHARED_CACHE.get(
        round_.base_digest,
        lambda: load_model(
            transport, federation.topics.model_blobs, round_.base_chunks, round_.base_digest, round_.num_elements
        ),
    )
