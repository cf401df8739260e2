"""Leases in the log: who holds the stages, and taking them.

A job takes its stages before it runs: it writes a lease that counts, then makes the brokers raise the epoch of every
transactional id that an earlier holder of these stages has used and that nobody has fenced yet. Decision 36 in
docs/decisions.md has the argument why nothing that such a holder does becomes visible afterwards.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from confluent_kafka import KafkaException, Message

from fluvial.identity.brokers import Brokers
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.librdkafka import clients
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import encode
from fluvial.wire.records import Fencing, Heartbeat, HolderState, Lease, LeaseCause
from fluvial.wire.topics import Topics
from pipelines.flink.log_reader import decoded, read_to_end
from pipelines.leases.holding import SINK, Holding, user_of
from pipelines.leases.liveness import Beat, is_alive
from pipelines.leases.table import Held, LeaseTable

_CLIENT_ID = "fluvial-leases"
_SECONDS = 15.0
_ATTEMPTS = 20
_FORMER_LEADER_SECONDS = 10.0
_CLOCK_SET_MS = 60_000

_log = logger(__name__)


class StagesHeld(FluvialError):
    """A job that is alive holds stages that are asked for."""

    def __init__(self, holders: Sequence[tuple[Held, Beat | None]], now_ms: int, stages: Collection[str]) -> None:
        """now_ms: the broker's time. stages: those that are asked for."""
        super().__init__("; ".join(_description(held, beat, now_ms, stages) for held, beat in holders))
        self.holders = [held for held, _ in holders]


class LeaseLost(FluvialError):
    """Another job holds stages of this one now."""


class Transactions(Protocol):
    """The transactional ids that the brokers know (KafkaAdminClient lists and fences them)."""

    def ids(self, prefix: str) -> list[str]: ...
    def fence(self, ids: Sequence[str]) -> None: ...


class LeaseLog:
    """The leases and heartbeats of a federation. Its methods raise TransportError when the broker does not answer."""

    def __init__(self, brokers: Brokers, topics: Topics, public_key: bytes) -> None:
        """public_key: that signs leases, the aggregator's."""
        self._brokers, self._topics = brokers, topics
        self.table = LeaseTable(public_key, topics.scope)
        self._position = 0

    def read(self) -> LeaseTable:
        """The table as it is now."""
        start = {0: self._position}
        for record in read_to_end(self._brokers, self._topics.leases, start=start, committed=False):
            self.table.add(record.value, record.offset, record.timestamp_ms)
            self._position = record.offset + 1
        return self.table

    def beats(self) -> dict[int, Beat]:
        """What each holder said last, by its epoch."""
        records = read_to_end(self._brokers, self._topics.heartbeats, committed=False)
        found = decoded((record for record in records if record.value), Heartbeat, self._topics.heartbeats)
        return {beat.epoch: Beat(beat, record.timestamp_ms) for record, beat in found}

    def now_ms(self) -> int:
        """The broker's time: that of a record without content, of which the topic keeps the last."""
        return self._produce(self._topics.heartbeats, b"now", b"").timestamp()[1]

    def alive(self, stages: Collection[str], gone: Collection[int] = ()) -> list[tuple[Held, Beat | None]]:
        """Holders of these stages that are alive. gone: epochs of holders that are known not to be."""
        holders = [held for held in self.read().holders(stages) if held.lease.epoch not in gone]
        if not holders:
            return []
        beats, now_ms = self.beats(), self.now_ms()
        last = [(held, beats.get(held.lease.epoch)) for held in holders]
        return [(held, beat) for held, beat in last if is_alive(held, beat, now_ms)]

    def has_lost_transaction(self, stages: Collection[str]) -> bool:
        """Whether a holder of these stages, of those read so far, said last that it ended because of that."""
        holders = self.table.holders(stages)
        beats = self.beats() if holders else {}
        last = [beats.get(held.lease.epoch) for held in holders]
        return any(beat is not None and beat.heartbeat.state is HolderState.TRANSACTION_LOST for beat in last)

    def refuse(self, stages: Collection[str], gone: Collection[int] = ()) -> None:
        """Raises StagesHeld if one of the stages has a holder that is alive."""
        if alive := self.alive(stages, gone):
            raise StagesHeld(alive, self.now_ms(), stages)

    def write(self, lease: Lease, key: SigningKey) -> bool:
        """Write a lease; whether it counts, which it does not if another one came first.

        A writer whose answer was lost writes again, and the broker tells where the copy lies: so whether the lease is
        there is asked, and not where. No other process writes its bytes, which name this one and the moment."""
        self._write(lease, lease, key)
        table = self.read()
        return table.epoch >= lease.epoch and table.at(lease.epoch).lease == lease

    def tell_of_fencing(self, epoch: int, key: SigningKey) -> None:
        """Say that all is fenced which holders before this lease had used."""
        self._write(Fencing(epoch=epoch), self.table.at(epoch).lease, key)

    def wait_for_former_leaders(self) -> None:
        """Until no broker that has led the topic answers for it without knowing that it leads it no more."""
        try:
            metadata = clients.admin(self._brokers, _CLIENT_ID).list_topics(timeout=_SECONDS)
        except KafkaException as error:
            raise TransportUnavailable(f"{self._topics.leases}: {error}") from error
        if len(metadata.brokers) > 1:
            time.sleep(_FORMER_LEADER_SECONDS)

    def _write(self, record: Lease | Fencing, of: Lease, key: SigningKey) -> Message:
        value = seal(record, key, "aggregator", self._topics.scope)
        return self._produce(self._topics.leases, ",".join(of.stages).encode(), value)

    def _produce(self, topic: str, key: bytes, value: bytes) -> Message:
        """Write one record and wait for it."""
        delivered: list[Message] = []
        failed: list[str] = []

        def report(error: Any, message: Message) -> None:
            if error is None:
                delivered.append(message)
            else:
                failed.append(str(error))

        # A copy that a retry makes does not count. librdkafka takes half a second to begin an idempotent producer.
        settings = {"acks": "all", "linger.ms": 0, "delivery.timeout.ms": int(_SECONDS * 1000)}
        producer = clients.producer(self._brokers, _CLIENT_ID, settings)
        try:
            producer.produce(topic, value, key, partition=0, on_delivery=report)
            producer.flush(2 * _SECONDS)
        except KafkaException as error:
            failed.append(str(error))
        if not delivered:
            raise TransportUnavailable(f"{topic}: {failed[0] if failed else 'the broker does not answer'}")
        return delivered[0]


def take(
    log: LeaseLog,
    wanted: Lease,
    key: SigningKey,
    transactions: Transactions,
    *,
    topic_prefix: str,
    take_over: bool = False,
    gone: Collection[int] = (),
    restores: bool = False,
) -> Holding:
    """Take the stages of `wanted`, whose epoch and, unless it says more, cause are filled in here.

    take_over: also from holders that are alive. gone: epochs of holders that are known not to be; nor are those of this
    job in this very process, which did not come to their end: the broker was away. restores: the job begins from a
    savepoint, and is to commit what its predecessor had prepared; that is left to it where all earlier holders are
    gone. When this returns, no earlier holder of the stages makes anything visible any more. Raises StagesHeld,
    TransportError.
    """
    gone = set(gone)
    for _ in range(_ATTEMPTS):
        gone |= {held.lease.epoch for held in log.read().holders(wanted.stages) if _is_of_this_process(held, wanted)}
        alive = log.alive(wanted.stages, gone)
        all_gone = all(held.lease.epoch in gone for held in log.table.holders(wanted.stages))
        if alive and not take_over:
            raise StagesHeld(alive, log.now_ms(), wanted.stages)
        cause = LeaseCause.TAKEN_OVER if alive else wanted.cause
        if cause is LeaseCause.FREE and log.has_lost_transaction(wanted.stages):
            cause = LeaseCause.TRANSACTION_LOST
        lease = replace(wanted, epoch=log.table.epoch + 1, cause=cause, taken_ms=int(time.time() * 1000))
        if log.write(lease, key):
            break
    else:
        raise TransportUnavailable("other jobs take leases all the time: try again")
    log.wait_for_former_leaders()
    if log.table.unfenced_epochs(lease.epoch):
        spare = SINK if restores and all_gone else None
        fence(log.table, lease.epoch, transactions, topic_prefix, spare=spare)
        if spare is None:
            log.tell_of_fencing(lease.epoch, key)
    held = log.table.at(lease.epoch)
    return Holding(
        epoch=lease.epoch,
        offset=held.offset,
        stages=lease.stages,
        secret=secrets.token_hex(16),
        taken_ms=held.timestamp_ms,
        record=b"" if lease.cause is LeaseCause.FREE else encode(lease),
    )


def fence(
    table: LeaseTable, epoch: int, transactions: Transactions, topic_prefix: str, *, spare: str | None = None
) -> None:
    """Fence every transactional id of earlier holders of the stages of a lease, unless it has been done, except those
    of the writer `spare`.

    Ids are looked for again until no new one is found, because their coordination may move between brokers meanwhile.
    """
    earlier = table.unfenced_epochs(epoch)
    fenced: set[str] = set()
    while True:
        users = {known: user_of(known, topic_prefix) for known in transactions.ids(topic_prefix)}
        found = {known for known, user in users.items() if user and user.epoch in earlier and user.writer != spare}
        if found <= fenced:
            return
        transactions.fence(sorted(found - fenced))
        _log.info("fenced %d transactional ids of earlier jobs", len(found - fenced))
        fenced |= found


def _is_of_this_process(held: Held, wanted: Lease) -> bool:
    """Whether the job took this lease before in the process in which it takes the next."""
    one = held.lease
    is_same = (one.job, one.host, one.pid) == (wanted.job, wanted.host, wanted.pid)
    started_apart_ms = abs(one.process_started_ms - wanted.process_started_ms)  # by a clock that may have been set
    return wanted.pid != 0 and is_same and started_apart_ms <= _CLOCK_SET_MS


def check_still_held(brokers: Brokers, topics: Topics, public_key: bytes, holding: Holding) -> None:
    """Look at the lease as it is now: what a writer does once it has its producer's epoch. Raises LeaseLost."""
    log = LeaseLog(brokers, topics, public_key)
    successor = log.read().successor(holding.epoch)
    if successor is not None:
        lease = successor.lease
        raise LeaseLost(f"the stages {', '.join(lease.stages)} are held by the job {lease.job} on {lease.host} now")


def _description(held: Held, beat: Beat | None, now_ms: int, stages: Collection[str]) -> str:
    lease = held.lease
    wanted = [stage for stage in lease.stages if stage in stages]
    others = [stage for stage in lease.stages if stage not in stages]
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(held.timestamp_ms / 1000))
    heard = f"heard from {max(0, now_ms - beat.timestamp_ms) / 1000:.0f} s ago" if beat else "starting"
    noun, verb = ("stage", "is") if len(wanted) == 1 else ("stages", "are")
    also = f"; it also runs {', '.join(others)}" if others else ""
    holder = f"the job {lease.job} on {lease.host}"
    return f"the {noun} {', '.join(wanted)} {verb} held by {holder} since {since}, {heard}{also}"
