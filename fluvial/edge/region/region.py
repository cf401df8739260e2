"""The process of a region: opens the parent's rounds below, and brings the region's sums up.

    with Region(TaskFile.read("west.yaml"), below, above, "west", key, operator_key, Path("west.sqlite")) as region:
        region.run(print)

It is a participant above, enrolled like any other, and the operator of its task below. What it knows stands in the two
logs and in the outbox; `step` decides, this module does. While a broker is away it waits and tries again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fluvial.edge.answers import new_answers
from fluvial.edge.error_feedback import state_folder
from fluvial.edge.events import Finished, Interrupted
from fluvial.edge.mailbox import LAST_ANSWERS_SECONDS, Mailbox
from fluvial.edge.model_proofs import ModelProofs
from fluvial.edge.outbox import Outbox
from fluvial.edge.own_entry import OwnEntry
from fluvial.edge.proven_log import FILE as PROVEN_FILE
from fluvial.edge.proven_log import ProvenLog
from fluvial.edge.publisher import Publisher
from fluvial.edge.region import step as steps
from fluvial.edge.region import terms
from fluvial.edge.region.chunks import copy_base, read_sum
from fluvial.edge.region.events import Attempted, Event, Followed, Missed, Refused, Summed
from fluvial.edge.region.sums import SumFollower
from fluvial.edge.registry import Registry
from fluvial.edge.rounds import RoundFollower
from fluvial.encoding import Encoded
from fluvial.encoding.partial_sum import PartialSumDecoding, scale_of
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Start, Transport, TransportUnavailable, connect
from fluvial.registry.acts import OperatorActs
from fluvial.registry.rounds import is_over
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ChunkReference, ModelManifest, Round, Task
from fluvial.wire.task_file import TaskFile

_POLL_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_CLOCK_SKEW_MS = 60_000  # between brokers, whose times date a record and its verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the two federations."""

    federation: Federation
    transport: Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """What the region reads while it runs."""

    parent_rounds: RoundFollower
    rounds: RoundFollower
    sums: SumFollower
    registry: Registry
    mailbox: Mailbox


class Region:
    """One task of a region. One thread runs it; `stop` may be called from any."""

    def __init__(
        self,
        task_file: TaskFile,
        below: Federation,
        above: Federation,
        name: str,
        key: SigningKey,
        operator_key: SigningKey,
        outbox_path: Path,
        *,
        parent_task: str | None = None,
        transports: tuple[Transport, Transport] | None = None,
        proven: bool = True,
    ) -> None:
        """Opens the outbox; connects at first need.

        below: the region's own federation. above: its parent, where `name` is enrolled with `key`. operator_key: of the
        federation below. parent_task: the task above, by default of the same name. transports: (below, above), shared
        with others and then left open by `close`. proven: as for a `Participant` above. Raises ValueError for an
        operator's key that is not that of the federation, OutboxUnavailable.
        """
        if operator_key.public_key.hex() != below.operator_key:
            raise ValueError("the operator's key is not the one that the region's federation file names")
        self.name = name
        self.outbox = Outbox(Path(outbox_path), name)
        self._task_file = task_file
        self._parent_task = parent_task or task_file.task
        self._owns_transports = transports is None
        lower, upper = transports or (
            connect(below.brokers, f"fluvial-{name}"),
            connect(above.brokers, f"fluvial-{name}"),
        )
        self._below = _Side(federation=below, transport=lower)
        self._acts = OperatorActs(lower, below, operator_key)
        self._above = _Side(federation=above, transport=upper)
        self._publisher = Publisher(upper, self.outbox, above.topics, name, key)
        self._entry, self._public_key = OwnEntry(upper, above, name), key.public_key
        self._task: Task | None = None
        self._stopping = threading.Event()
        self._proven = self._proven_log(Path(outbox_path)) if proven else None
        self._proofs = ModelProofs(self._proven, self._task_above, self._stopping.is_set) if self._proven else None
        self._reported: set[tuple[Any, ...]] = set()

    def run(self, on_event: Callable[[Event], None]) -> int:
        """Until the parent's task is finished, or `stop` is called. Returns how many of its rounds have a sum.

        Raises ValueError when the region's task does not fit its parent's, VerificationError for bytes that are not
        those signed, NotEnrolled once the registry above has revoked the region's key, or replaced it.
        """
        with ExitStack() as ends:
            followed = self._follow(ends)
            current: Round | None = None
            while not self._stopping.is_set():
                parent = followed.parent_rounds.newest(self._parent_task)
                if parent is not current and parent is not None:
                    self._moved_on(current, parent, on_event)
                    current = parent
                try:
                    if parent is None or not is_over(parent):
                        self._entry.check(self._public_key)
                    action = steps.step(self._view(parent, followed))
                    if isinstance(action, steps.End):
                        break
                    self._perform(action, on_event)
                except (TransportUnavailable, ChunkUnavailable) as error:
                    # A chunk of a base model or a sum is also gone when its round has meanwhile been superseded.
                    on_event(Interrupted(reason=str(error)))
                    self._stopping.wait(_RETRY_SECONDS)
                self._listen(followed, on_event)
            if current is not None and not self._stopping.is_set():
                self._listen(followed, on_event)
                deadline = time.monotonic() + LAST_ANSWERS_SECONDS
                while followed.mailbox.num_hints and not self._stopping.is_set() and time.monotonic() < deadline:
                    self._listen(followed, on_event)
                on_event(Finished(task=self._parent_task, version=current.base_version))
        return len({sent.round for sent in self.outbox.envelopes(self._parent_task) if sent.position is not None})

    def stop(self) -> None:
        """Ends `run` at its next step; what is unsent stays in the outbox."""
        self._stopping.set()

    def close(self) -> None:
        """Closes everything; nothing is lost."""
        self.stop()
        self._entry.close()
        if self._proven is not None:
            self._proven.close()
        if self._owns_transports:
            self._below.transport.close()
            self._above.transport.close()
        self.outbox.close()

    def _follow(self, ends: ExitStack) -> _Followed:
        below, above = self._below, self._above
        followed = _Followed(
            parent_rounds=RoundFollower(above.transport, above.federation),
            rounds=RoundFollower(below.transport, below.federation),
            sums=SumFollower(below.transport, below.federation, self._task_file.task),
            registry=Registry(below.transport, below.federation),
            mailbox=Mailbox(
                above.transport,
                above.federation.topics,
                self.name,
                self._first_answer(),
                is_proven=lambda record: self._proven is None or self._proven.has(record),
            ),
        )
        for reader in (followed.parent_rounds, followed.rounds, followed.sums, followed.registry, followed.mailbox):
            ends.callback(reader.close)
        for follower in (followed.parent_rounds, followed.rounds, followed.sums, followed.registry):
            follower.refresh()
        self._task = followed.registry.task(self._task_file.task)
        self._acts.agree(self._task_file.agreement)
        return followed

    def _pinned(self) -> TaskFile:
        """The task's file with the digests of its parent's, whose registry is read only for a task with a package."""
        if self._task_file.package is None:
            return self._task_file
        with closing(Registry(self._above.transport, self._above.federation)) as registry:
            registry.refresh()
            return terms.pinned_as_above(self._task_file, registry.task(self._parent_task))

    def _task_above(self, name: str) -> Task | None:
        with closing(Registry(self._above.transport, self._above.federation)) as registry:
            registry.refresh()
            return registry.task(name)

    def _proven_log(self, outbox_path: Path) -> ProvenLog:
        first, path = self._first_answer(), state_folder(outbox_path) / PROVEN_FILE
        since_ms = first if isinstance(first, int) else _now_ms()
        return ProvenLog(self._above.transport, self._above.federation, self.name, path, since_ms)

    def _first_answer(self) -> Start | int:
        times = [sent.position.timestamp_ms for sent in self.outbox.envelopes() if sent.position is not None]
        return max(0, min(times) - _CLOCK_SKEW_MS) if times else Start.END

    def _view(self, parent: Round | None, followed: _Followed) -> steps.View:
        stored = sent = False
        seconds = 0.0
        if parent is not None:
            upload = self.outbox.upload_of(parent.task, parent.round)
            envelope = self.outbox.envelope_of(parent.task, parent.round, parent.attempt)
            stored = upload is not None and upload.base_digest == parent.base_digest
            sent = envelope is not None and envelope.position is not None
            seconds = terms.seconds_below(self._task_file, parent, _now_ms())
        return steps.View(
            parent=parent,
            task=self._task,
            manifest=followed.sums.newest,
            name=self.name,
            agrees=parent is None or self._entry.standing(parent, self._has_begun(parent)).counts,
            stored=stored,
            sent=sent,
            seconds=seconds,
        )

    def _has_begun(self, parent: Round) -> bool:
        """Whether the participants below have been asked for this round of the parent: what they send is its update."""
        return self._task is not None and terms.follows(self._task, parent)

    def _perform(self, action: steps.Action, on_event: Callable[[Event], None]) -> None:
        match action:
            case steps.Open(parent, seconds):
                terms.check_task(self._task_file, parent)
                chunks = self._base_below(parent)
                self._register(terms.task_below(self._pinned(), parent, chunks, seconds, _now_ms()))
                on_event(Followed(round=parent, seconds=seconds))
            case steps.Close(parent):
                self._register(terms.finished_task(self._pinned(), parent, self._base_below(parent), _now_ms()))
            case steps.Keep(parent, manifest):
                self._keep(parent, manifest)
                on_event(Summed(manifest=manifest))
            case steps.Send(parent):
                upload = self.outbox.upload_of(parent.task, parent.round)
                assert upload is not None, "step sends what is stored"
                self._publisher.complete(parent, upload, on_event)
            case steps.GiveUp(parent, reason):
                self._once((parent.round, parent.attempt, reason), Refused(round=parent.round, reason=reason), on_event)

    def _moved_on(self, before: Round | None, parent: Round, on_event: Callable[[Event], None]) -> None:
        """Another round or attempt above. The first one that is seen is not moved on from."""
        self._publisher.discard_before(parent, on_event)
        over = before is not None and (parent.round > before.round or parent.status is not before.status)
        if over and before is not None and not self._was_sent(before):
            on_event(Missed(round=before.round))

    def _was_sent(self, parent: Round) -> bool:
        """Whether a sum went up for the round, in any attempt."""
        return any(sent.position is not None for sent in self.outbox.envelopes(parent.task, parent.round))

    def _base_below(self, parent: Round) -> tuple[ChunkReference, ...]:
        """The parent's base model below: there already, or copied now."""
        if self._task is not None and self._task.base_digest == parent.base_digest:
            return self._task.base_chunks
        if self._proofs is not None:
            self._proofs.check(parent)
        above, below = self._above, self._below
        return copy_base(
            above.transport, above.federation, parent, below.transport, below.federation, self._task_file.task
        )

    def _keep(self, parent: Round, manifest: ModelManifest) -> None:
        encoded = read_sum(self._below.transport, self._below.federation, manifest)
        scale = scale_of(manifest.total_weight, manifest.fraction_bits)
        chunks = list(PartialSumDecoding().split(encoded, parent.chunk_elements))
        self._publisher.store_encoded(parent, Encoded(chunks, (scale,)), manifest.total_weight, PartialSumDecoding.name)

    def _register(self, task: Task) -> None:
        self._acts.register(task)
        self._task = task

    def _listen(self, followed: _Followed, on_event: Callable[[Event], None]) -> None:
        followed.parent_rounds.poll(_POLL_SECONDS)
        followed.sums.poll(_POLL_SECONDS)
        for below in followed.rounds.poll(0.0):
            if below.task == self._task_file.task:
                on_event(Attempted(round=below))
        for answer in new_answers(followed.mailbox, self.outbox, _POLL_SECONDS):
            on_event(answer)

    def _once(self, key: tuple[Any, ...], event: Event, on_event: Callable[[Event], None]) -> None:
        if key not in self._reported:
            self._reported.add(key)
            on_event(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
