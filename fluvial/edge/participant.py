"""`Participant`: everything a device does in a federation, in one object.

    with Participant(Federation.load("federation.json"), "hospital-a", SigningKey.load("a.pem"), Path("outbox.sqlite"))
    as participant:
        participant.enrol(token, agreements=["research-use"])
        participant.participate("heart", train)

where `train(base_D, round)` returns `(delta_D, weight)`, or None to sit the round out. The parts can be used alone as
well: `check_log`, `rounds`, `base_model`, `publish`, `resume`, `verdict_of`, `receipts`. One thread at a time uses a
Participant; `stop` may be called from any.

Shapes: D parameters.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fluvial.edge import enrolment
from fluvial.edge.contribution import check_difference, least_weight, plain_delta, plain_weight
from fluvial.edge.enrolled import check_enrolled
from fluvial.edge.error_feedback import ErrorFeedback, state_folder
from fluvial.edge.events import Event, Interrupted, NotAgreed, SatOut, TooLarge
from fluvial.edge.log_memory import SUFFIX, LogMemory
from fluvial.edge.mailbox import Mailbox
from fluvial.edge.measuring import Measuring, OwnData, Sent
from fluvial.edge.model_files import ModelFiles, default_model_files, own_copy
from fluvial.edge.model_proofs import ModelProofs
from fluvial.edge.models import SHARED_CACHE, check_references, load_model
from fluvial.edge.outbox import Outbox
from fluvial.edge.own_entry import OwnEntry
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.edge.participation import MeasureHeldOut, Participation, Train
from fluvial.edge.proven_log import FILE as PROVEN_FILE
from fluvial.edge.proven_log import ProvenLog
from fluvial.edge.publisher import Publisher
from fluvial.edge.registry import Registry, Terms
from fluvial.edge.rounds import RoundFollower
from fluvial.edge.too_large import excess
from fluvial.edge.upload import WINDOW_BYTES
from fluvial.encoding import encoder
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Start, Transport, TransportUnavailable, connect, read_to_end
from fluvial.registry.agreements import Standing
from fluvial.registry.rounds import is_over
from fluvial.transparency.note import NoteKey
from fluvial.wire import records
from fluvial.wire.files import at_home
from fluvial.wire.names import check_participant
from fluvial.wire.records import HeldOutMetrics, OverRate, Receipt, Round, RoundStatus, Task, Verdict

_POLL_SECONDS = 0.2
_RETRY_SECONDS = 1.0

_READ_SECONDS = 30.0
_CLOCKS_APART_MS = 3_600_000  # this machine's and the brokers', before all checkpoints are read
_CLOCK_SKEW_MS = 60_000  # between brokers, whose times date a record and its verdict


def ignore(event: Event) -> None:
    """The `on_event` of those who do not listen."""


class Participant:
    """See the module."""

    def __init__(
        self,
        federation: Federation,
        name: str,
        key: SigningKey,
        outbox_path: Path,
        transport: Transport | None = None,
        *,
        window_bytes: int = WINDOW_BYTES,
        model_files: ModelFiles | None = None,
        proven: bool = True,
    ) -> None:
        """Opens the outbox; connects to a broker at first need.

        transport: shared with others, and then left open by `close`; by default one of its own. window_bytes:
        unacknowledged chunk bytes at once. model_files: where base models are kept for all participants on this host;
        by default what the environment says (`model_files.py`). proven: act on nothing that no leaf of the audit log
        proves: wait for the proof of a model before it is trained on, of a verdict or receipt before it is told. False
        is for a federation whose stage audit does not run. Raises OutboxUnavailable, and ValueError for a name that
        cannot enrol.
        """
        check_participant(name)
        outbox_path = at_home(outbox_path)
        self.name = name
        self.federation = federation
        self.topics = federation.topics
        self.outbox = Outbox(outbox_path, name)
        self._key = key
        self._owns_transport = transport is None
        self.transport = connect(federation.brokers, f"fluvial-{name}") if transport is None else transport
        self.state_folder = state_folder(outbox_path)
        self._feedback = ErrorFeedback(self.state_folder)
        self._stopping = threading.Event()
        self._publisher = Publisher(self.transport, self.outbox, self.topics, name, key, window_bytes, self._feedback)
        self._model_files = model_files or default_model_files()
        self._log_file = state_folder(outbox_path) / f"log{SUFFIX}"
        self._proven = self._proven_log() if proven else None
        self._model_proofs = ModelProofs(self._proven, self._task_now, self._stopping.is_set) if self._proven else None
        self._entry = OwnEntry(self.transport, federation, name)
        self._mailbox: Mailbox | None = None
        self._refrained: Round | None = None
        self._lent: tuple[bytes, weakref.ref[NDArray[np.float32]]] | None = None  # the last base model

    def enrol(self, token: str, agreements: Sequence[str] = (), timeout: float = 60.0) -> records.Participant:
        """Enrols, or signs further agreements.

        Returns the registrar's record. Safe to repeat. See `fluvial.edge.enrolment.enrol`.
        """
        return enrolment.enrol(self.transport, self.federation, self.name, self._key, token, agreements, timeout)

    def entry(self) -> records.Participant | None:
        """What the registry has of this participant's name now; None for nothing. Raises TransportUnavailable."""
        return self._registry().participant(self.name)

    def rotate_key(self, new_key: SigningKey, timeout: float = 60.0) -> records.Participant:
        """Enrols a new key in the place of the present one, which vouches for it and is out of force from then on. The
        new one signs the same agreements. What is signed afterwards is signed by the new key, which the caller
        keeps. Rounds that run in another thread may end with NotEnrolled meanwhile: end them before.

        Safe to repeat. Raises as `enrolment.enrol`, and ValueError for a name that is not enrolled.
        """
        known = self.entry()
        if known is None:
            raise ValueError(f"{self.name} is not enrolled, so no key of it can be replaced")
        agreements = [signed.agreement for signed in known.agreements]
        record = enrolment.enrol(
            self.transport, self.federation, self.name, new_key, "", agreements, timeout, former_key=self._key
        )
        self._key = new_key
        self._publisher.use_key(new_key)
        self._entry.close()
        return record

    def withdraw(self, agreement: str, timeout: float = 60.0) -> records.Participant:
        """Withdraws an agreement: a round that is opened from now on takes no update of this participant where it asks
        for it. What is sent for rounds that were opened before still counts, and what was accepted stays in the models
        that it is in. Raises as `enrolment.enrol`, and ValueError for an agreement that was not signed."""
        known = self.entry()
        signed = [each.agreement for each in known.agreements] if known is not None else []
        gone = [each.agreement for each in known.withdrawn] if known is not None else []
        if agreement not in (*signed, *gone):
            raise ValueError(f"{self.name} has not signed {agreement}; it has signed: {', '.join(signed) or 'none'}")
        return enrolment.enrol(
            self.transport, self.federation, self.name, self._key, "", (), timeout, withdrawn=(agreement,)
        )

    def terms(self, agreement: str) -> Terms:
        """The agreement's text, as the operator signed it. Raises ValueError when there is none of that name."""
        terms = self._registry().terms(agreement)
        if terms is None:
            raise ValueError(f"the registry has no agreement {agreement!r} signed by the operator")
        return terms

    def task(self, name: str, *, enrolled: bool = False) -> Task:
        """The task, as the operator signed it. enrolled: for somebody who is about to take part. Raises ValueError when
        there is none of that name, and then NotEnrolled when this participant is not enrolled with its key."""
        registry = self._registry()
        task = registry.existing_task(name)
        if enrolled:
            check_enrolled(registry.participant(self.name), self.name, self._key.public_key)
        return task

    def _task_now(self, name: str) -> Task | None:
        return self._registry().task(name)

    def check_log(self) -> None:
        """Look whether the audit log is one with the newest checkpoint that this participant has seen, and remember the
        newest that there is: `log_memory.py`.

        Raises VerificationError when it was forked or rolled back, TransportUnavailable.
        """
        memory = LogMemory(self._log_file, NoteKey.parse(self.federation.log_key))
        since_s = time.time() if memory.since_s is None else memory.since_s
        if not memory.take(self._checkpoints(int(1000 * since_s) - _CLOCKS_APART_MS), is_whole=False):
            memory.take(self._checkpoints(Start.BEGINNING), is_whole=True)

    def _checkpoints(self, start: Start | int) -> Iterator[bytes]:
        with closing(self.transport.read(self.topics.checkpoints, start)) as reader:
            for message in read_to_end(reader, _READ_SECONDS):
                yield message.value or b""

    def rounds(self, task: str, on_event: Callable[[Event], None] = ignore) -> Iterator[Round]:
        """The task's open rounds that invite this participant and have no update of it, each attempt once, always the
        newest; ends when the task is finished or `stop` is called.

        What the outbox holds counts, so that a process that starts again goes on where it was: a round that was
        answered is not yielded again, and an update that was stored, for this attempt or the one before, is completed
        here and not trained again. Waits while no such round is open and while the broker is away. Raises NotEnrolled
        once the registry has revoked this participant's key, or replaced it.
        """
        follower = RoundFollower(self.transport, self.federation)
        try:
            follower.refresh()
            yielded: Round | None = None
            while not self._stopping.is_set():
                newest = follower.newest(task)
                try:
                    if newest is None or not is_over(newest):
                        self._entry.check(self._key.public_key)
                    if newest is None or (newest is yielded and not self._has_unsent(newest)):
                        follower.poll(_POLL_SECONDS)
                        continue
                    if not self._agrees(newest, on_event):
                        follower.poll(_POLL_SECONDS)
                        continue
                    self._publisher.resume(newest, on_event)
                except TransportUnavailable as error:
                    on_event(Interrupted(reason=str(error)))
                    self._stopping.wait(_RETRY_SECONDS)
                    follower.poll(0.0)
                    continue
                if is_over(newest):
                    return
                if newest is not yielded and self._publisher.is_wanted(newest):
                    yield newest
                    # While the caller was busy several may have come; only the last of them is of use.
                    follower.poll(0.0)
                yielded = newest
        finally:
            follower.close()

    def base_model(self, round_: Round) -> NDArray[np.float32]:
        """The model_D to train from, checked against the digests that the aggregator signed; its layout is
        `round_.layout`. A copy that is the caller's own, to change as it likes: memory that is shared would be written
        by torch.from_numpy, which does not heed numpy's flag.

        Fetched once for all participants of the process, and of the user on this host where models are kept in files.
        Raises VerificationError, ChunkUnavailable, TransportUnavailable, of which NotProvenYet is one.
        """
        digest, chunks = round_.base_digest, round_.base_chunks
        self._check_proof(round_)

        def download() -> NDArray[np.float32]:
            return load_model(self.transport, self.topics.model_blobs, chunks, digest, round_.num_elements)

        def load() -> NDArray[np.float32]:
            check_references(chunks, digest, round_.num_elements)
            return download() if self._model_files is None else self._model_files.get(digest, chunks, download)

        model_D = own_copy(SHARED_CACHE.get(digest, load))
        self._lent = digest, weakref.ref(model_D)
        return model_D

    def _check_proof(self, round_: Round) -> None:
        if self._model_proofs is not None:
            self._model_proofs.check(round_)

    def _proven_log(self) -> ProvenLog:
        since = self._first_sent_ms()
        since_ms = int(1000 * time.time()) if since is None else since
        return ProvenLog(self.transport, self.federation, self.name, self.state_folder / PROVEN_FILE, since_ms)

    def _first_sent_ms(self) -> int | None:
        times = [sent.position.timestamp_ms for sent in self.outbox.envelopes() if sent.position is not None]
        return min(times, default=None)

    def _has_leaf(self, record: Verdict | OverRate | Receipt) -> bool:
        return self._proven is None or self._proven.has(record)

    def publish(
        self,
        round_: Round,
        delta_D: NDArray[np.float32],
        weight: int,
        encoding: str = "float32",
        on_event: Callable[[Event], None] = ignore,
        measured: tuple[HeldOutMetrics, ...] = (),
    ) -> str | None:
        """Publishes an update and returns its id once its envelope is in the log. Survives a crash at any point: see
        `resume`.

        weight: the number of training examples; more than the round's max_weight count as that many. With fewer than
        the round takes, none for example, it is sat out: nothing is published, and None is returned. measured: metrics
        of the round's model on held-out examples, as `fluvial.edge.training.held_out` makes them.

        A round has one update. So for an attempt that has it in the log already, this returns its id; where it is
        stored, because a crash or the broker cut it short or an attempt failed, that one is completed. The delta is
        then not looked at.

        Raises ValueError for what the round cannot take, an update of another attempt of an asynchronous round that
        has one for example, TransportUnavailable when the broker is away (then `resume`
        continues).
        """
        weight = plain_weight(weight, round_)
        answer = self._publisher.answer(round_)
        if answer is not None:
            if answer.attempt != round_.attempt:
                raise ValueError(
                    f"round {round_.round} of {round_.task} has the update {answer.update_id} of attempt "
                    f"{answer.attempt} already, and an asynchronous round takes one for all its attempts: wait for the "
                    "next round, as `rounds` does"
                )
            return answer.update_id
        if round_.status is RoundStatus.OPEN:
            if (stored := self._publisher.stored(round_)) is not None:
                return self._publisher.complete(round_, stored, on_event)
            if weight < (least := least_weight(round_)):
                on_event(SatOut(round=round_, weight=weight, min_examples=least))
                return None
        delta_D = plain_delta(delta_D, round_)
        lent_D = self._lent[1]() if self._lent is not None and self._lent[0] == round_.base_digest else None
        if lent_D is not None:
            check_difference(delta_D, lent_D, lambda: self.base_model(round_))
        if encoder(encoding).omits:
            self._feedback.wait(round_.task, lambda: self.mailbox().poll(_POLL_SECONDS), self._stopping.is_set)
        found = excess(delta_D, round_)
        upload = self._publisher.store(round_, delta_D, weight, encoding, measured=measured)
        if found is not None:
            on_event(TooLarge(round=round_, excess=found))
        return self._publisher.complete(round_, upload, on_event)

    def resume(self, on_event: Callable[[Event], None] = ignore) -> list[str]:
        """Continues what a crash interrupted:

        Sends what is missing for rounds still open, drops the rest. Returns the ids of updates completed.
        """
        uploads = self.outbox.uploads()
        if not uploads:
            return []
        follower = RoundFollower(self.transport, self.federation)
        try:
            follower.refresh()
        finally:
            follower.close()
        completed = []
        for task in sorted({upload.task for upload in uploads}):
            newest = follower.newest(task)
            if newest is None:
                continue
            completed += self._publisher.resume(newest, on_event)
        return completed

    def verdict_of(self, update_id: str, timeout: float = 0.0) -> Verdict | None:
        """The verdict on an update.

        Waits up to `timeout` seconds. Raises ValueError for an update that was not sent from this outbox.
        """
        for envelope in self.outbox.envelopes():
            if envelope.update_id == update_id and envelope.position is not None:
                return self.mailbox().verdict_at(self.topics.updates, envelope.position, timeout)
        raise ValueError(f"no update {update_id!r} was sent from this outbox")

    def receipts(self, timeout: float = 0.0) -> list[Receipt]:
        """All receipts since this outbox's first update.

        With a timeout, waits until there is one more than is known.
        """
        return self.mailbox().receipts(timeout)

    def participate(
        self,
        task: str,
        train: Train,
        max_rounds: int | None = None,
        on_event: Callable[[Event], None] = ignore,
        *,
        encoding: str = "float32",
        tells_training: bool = False,
        device: str = "cpu",
        measure: MeasureHeldOut | None = None,
    ) -> int:
        """Takes part until the task is finished, `max_rounds` rounds are contributed to and over, or `stop` is called.

        measure: called before training where the round asks for metrics on held-out examples, and told with the update.
        tells_training: whether the update says how it was trained; device: what `train` runs on then, cpu or cuda.
        Returns the number of rounds contributed to. Raises NotEnrolled once the registry has revoked this participant's
        key, or replaced it. See `fluvial.edge.participation`.
        """
        follower = RoundFollower(self.transport, self.federation)
        try:
            return Participation(
                task=task,
                participant=self.name,
                follower=follower,
                mailbox=self.mailbox(),
                outbox=self.outbox,
                publisher=self._publisher,
                feedback=self._feedback,
                base_model=self.base_model,
                train=train,
                on_event=on_event,
                encoding=encoding,
                stopping=self._stopping,
                tells_training=tells_training,
                device=device,
                measure=measure,
                standing=self._entry.standing,
                check_key=lambda: self._entry.check(self._key.public_key),
            ).run(max_rounds)
        finally:
            follower.close()

    def measure(
        self,
        task: str,
        data: OwnData,
        version: int | None = None,
        on_sent: Callable[[Sent], None] = lambda sent: None,
        *,
        device: str = "cpu",
        packages: Packages = NO_PACKAGES,
    ) -> list[Sent]:
        """Measures the variants of a version, by default the newest, on this participant's own data, where the task
        asks for it, and sends what was not admitted before. Needs onnxruntime, and torch for variants that it runs, of
        tasks whose code is in `packages`. See `fluvial.edge.measuring`."""
        measuring = Measuring(self.transport, self.federation, self.name, self._key, self.task(task), device, packages)
        return measuring.measure(data, version, on_sent)

    def verdict_at(self, topic: str, position: Position, timeout: float = 0.0) -> Verdict | None:
        """The verdict on a record of this participant at a position of a topic; waits up to `timeout` seconds. What was
        judged before this participant's mailbox was opened is not seen."""
        return self.mailbox().verdict_at(topic, position, timeout)

    def stop(self) -> None:
        """Ends `rounds` and `participate` at their next step; what is unsent stays in the outbox."""
        self._stopping.set()

    def is_stopped(self, timeout: float) -> bool:
        """Whether `stop` was called. Waits up to `timeout` seconds for it."""
        return self._stopping.wait(timeout)

    def mailbox(self) -> Mailbox:
        """Verdicts and receipts, from the first update in the outbox onwards, or from now where there is none."""
        if self._mailbox is None:
            since = self._first_sent_ms()
            start = Start.END if since is None else max(0, since - _CLOCK_SKEW_MS)
            self._mailbox = Mailbox(
                self.transport, self.topics, self.name, start, self._feedback.answered, self._has_leaf
            )
        return self._mailbox

    def close(self) -> None:
        """Closes everything; nothing is lost."""
        self.stop()
        if self._mailbox is not None:
            self._mailbox.close()
        if self._proven is not None:
            self._proven.close()
        self._entry.close()
        if self._owns_transport:
            self.transport.close()
        self.outbox.close()

    def _agrees(self, round_: Round, on_event: Callable[[Event], None]) -> bool:
        """Whether the round takes updates of this participant, by what it has signed; where not, that is told once."""
        found = self._entry.standing(round_, self._publisher.stored(round_) is not None)
        if not found.counts and self._refrained is not round_:
            self._refrained = round_
            on_event(NotAgreed(round=round_, withdrawn=found is Standing.WITHDRAWN))
        return found.counts

    def _has_unsent(self, round_: Round) -> bool:
        """Whether the outbox has an update that this round waits for."""
        return self._publisher.is_wanted(round_) and self._publisher.stored(round_) is not None

    def _registry(self) -> Registry:
        registry = Registry(self.transport, self.federation)
        try:
            registry.refresh()
        finally:
            registry.close()
        return registry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
