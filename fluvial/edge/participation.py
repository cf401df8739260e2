"""The loop of a participant: follow rounds, train, publish, and see what became of it.

Where none was opened yet, that is told, and waited for. For each open round one of these things happens:
* its public seed did not invite this participant: wait;
* it asks for an agreement that this participant has not signed, or has withdrawn: wait until it signs. What was trained
  for a round that was opened before the withdrawal is sent, as the gate takes it; nothing more is trained;
* training returned None, or had fewer examples than the round takes, none for example: it is sat out, wait;
* training failed, with a loss or weights that are no numbers: nothing is published, the reason is logged, wait;
* nothing of this round is in the outbox: fetch the base model, train, publish;
* the outbox has an update of this round, cut short by a crash or made for an earlier attempt: complete it, without
  training and without sending a chunk twice;
* the outbox has sent the update for this very attempt: wait;
* the operator has paused the task: wait, and keep what is unsent.

Where the registry has revoked the participant's key, or replaced it, the loop ends with NotEnrolled: whatever is sent
would be refused.

An asynchronous round (buffered, tumbling) takes one update for all its attempts, and updates of rounds before it. So
there an update that was sent once is not sent for the next attempt, and one that was cut short is completed, as it was
made, when newer rounds have been opened since.

While the broker is away the loop waits and tries again; everything unsent is in the outbox.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.answers import new_answers
from fluvial.edge.contribution import check_difference, finite_delta, least_weight, plain_delta, plain_result
from fluvial.edge.error_feedback import ErrorFeedback
from fluvial.edge.errors import TrainingFailed
from fluvial.edge.events import (
    Event,
    Finished,
    Interrupted,
    Measured,
    NotAgreed,
    NotInvited,
    NotTrained,
    Paused,
    RoundOpened,
    SatOut,
    TooLarge,
    Trained,
    Unproven,
    Waiting,
)
from fluvial.edge.mailbox import LAST_ANSWERS_SECONDS, Mailbox
from fluvial.edge.outbox import Outbox
from fluvial.edge.publisher import Publisher, check_encoding
from fluvial.edge.rounds import RoundFollower
from fluvial.edge.too_large import excess
from fluvial.edge.training_watch import TrainingWatch
from fluvial.encoding import encoder
from fluvial.kafka import TransportUnavailable
from fluvial.registry.agreements import Standing
from fluvial.registry.rounds import is_over
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import HeldOutMetrics, Round, RoundStatus
from fluvial.wire.sampling import invited
from fluvial.wire.terms import terms_of

_log = logger(__name__)

_POLL_SECONDS = 0.1
_RETRY_SECONDS = 1.0

Train = Callable[[NDArray[np.float32], Round], tuple[NDArray[np.float32], int] | None]
"""`(base_D, round) -> (delta_D, weight)`:

Trains from a copy of the base, its own; returns the difference and the number of training examples, of which more
than the round's max_weight count as that many. None, or fewer examples than the round takes, sits the round out.
"""


MeasureHeldOut = Callable[[NDArray[np.float32], Round], tuple[HeldOutMetrics, ...]]
"""`(base_D, round) -> metrics` of the round's model on examples that this participant holds out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participation:
    """Taking part in one task. encoding: of the updates. stopping: ends the loop at its next step. tells_training: say
    with each update how it was trained. device: what `train` runs on, cpu or cuda. measure: what is told of the model
    that it was trained from, where the round asks for it. standing: of a round, and of whether there is an
    update for it already: how the participant stands to its agreement. check_key: raises NotEnrolled once the key is
    not in force any more."""

    task: str
    participant: str
    follower: RoundFollower
    mailbox: Mailbox
    outbox: Outbox
    publisher: Publisher
    feedback: ErrorFeedback
    base_model: Callable[[Round], NDArray[np.float32]]
    train: Train
    on_event: Callable[[Event], None]
    encoding: str
    stopping: threading.Event
    tells_training: bool = False
    device: str = "cpu"
    measure: MeasureHeldOut | None = None
    standing: Callable[[Round, bool], Standing] = lambda round_, has_update: Standing.SIGNED
    check_key: Callable[[], None] = lambda: None

    def run(self, max_rounds: int | None) -> int:
        """Until the task is finished, or `max_rounds` rounds have this participant's update and the last of them is
        over.

        Returns their number.
        """
        contributed: set[int] = set()
        handled: Round | None = None
        refrained: Round | None = None
        self.follower.refresh()
        if self.follower.newest(self.task) is None:
            self.on_event(Waiting(task=self.task))
        while not self.stopping.is_set():
            newest = self.follower.newest(self.task)
            is_new = newest is not None and newest is not handled
            if newest is not None and is_new:
                if is_over(newest):
                    self._finish(newest)
                    break
                if max_rounds is not None and len(contributed) >= max_rounds and newest.round not in contributed:
                    self._report_last()
                    break
            try:
                self.check_key()
                if newest is not None and is_new:
                    found = self.standing(newest, self._has_update(newest))
                    if found.counts:
                        if self._contribute(newest):
                            contributed.add(newest.round)
                        handled = newest
                    elif newest is not refrained:
                        self.on_event(NotAgreed(round=newest, withdrawn=found is Standing.WITHDRAWN))
                        refrained = newest
            except (TransportUnavailable, ChunkUnavailable) as error:
                # A chunk of the base model is also gone when the round that names it has meanwhile been superseded.
                self.on_event(Interrupted(reason=str(error)))
                self.stopping.wait(_RETRY_SECONDS)
            self.follower.poll(_POLL_SECONDS)
            self._report()
        return len(contributed)

    def _has_update(self, round_: Round) -> bool:
        return self.outbox.upload_of(round_.task, round_.round) is not None or self.publisher.is_answered(round_)

    def _contribute(self, round_: Round) -> bool:
        """Whether the round has this participant's update."""
        if round_.status is RoundStatus.PAUSED:
            self.on_event(Paused(round=round_))
            return False
        self.publisher.discard_before(round_, self.on_event)
        for earlier in self.outbox.uploads(round_.task):
            if earlier.round < round_.round:
                self.publisher.complete(round_, earlier, self.on_event)
        if self.publisher.is_answered(round_):
            return True
        upload = self.outbox.upload_of(round_.task, round_.round)
        if not invited(self.participant, round_.seed, round_.invited_fraction):
            self.on_event(NotInvited(round=round_))
            return False
        self.on_event(RoundOpened(round=round_, reopened=upload is not None))
        if upload is None:
            check_encoding(round_, self.encoding)  # before training, not after it
            if encoder(self.encoding).omits:
                self.feedback.wait(round_.task, lambda: self._report(_POLL_SECONDS), self.stopping.is_set)
            base_D = self.base_model(round_)
            measured = self._measured(base_D, round_)
            watch = TrainingWatch(self.device)
            least = least_weight(round_)
            try:
                returned, weight = plain_result(self.train(base_D, round_), round_)
                trained = watch.report(round_) if self.tells_training else None
                if weight < least:
                    self.on_event(SatOut(round=round_, weight=weight, min_examples=least))
                    return False
                delta_D = finite_delta(plain_delta(returned, round_))
            except TrainingFailed as error:
                _log.warning("round %d of %s goes on without an update: %s", round_.round, round_.task, error)
                self.on_event(NotTrained(round=round_, reason=str(error)))
                return False
            check_difference(delta_D, base_D, lambda: self.base_model(round_))
            self.on_event(Trained(round=round_, weight=weight, seconds=watch.seconds))
            if (found := excess(delta_D, round_)) is not None:
                self.on_event(TooLarge(round=round_, excess=found))
            upload = self.publisher.store(round_, delta_D, weight, self.encoding, trained, measured)
        self.publisher.complete(round_, upload, self.on_event)
        return True

    def _measured(self, base_D: NDArray[np.float32], round_: Round) -> tuple[HeldOutMetrics, ...]:
        """What this participant tells of the round's model."""
        if self.measure is None or not terms_of(round_).held_out.metrics:
            return ()
        measured = self.measure(base_D, round_)
        if measured:
            self.on_event(Measured(round=round_, metrics=measured))
        return measured

    def _finish(self, last: Round) -> None:
        self.publisher.discard_before(last, self.on_event)
        self._report_last()
        removed = last.status is RoundStatus.REMOVED
        self.on_event(Finished(task=last.task, version=last.base_version, removed=removed))

    def _report_last(self) -> None:
        """Before this ends: with the answers that only wait for their proof."""
        self._report()
        deadline = time.monotonic() + LAST_ANSWERS_SECONDS
        while self.mailbox.num_hints and not self.stopping.is_set() and time.monotonic() < deadline:
            self._report(_POLL_SECONDS)
        if self.mailbox.num_hints:
            self.on_event(Unproven(num_answers=self.mailbox.num_hints))

    def _report(self, timeout: float = 0.0) -> None:
        for answer in new_answers(self.mailbox, self.outbox, timeout):
            self.on_event(answer)
