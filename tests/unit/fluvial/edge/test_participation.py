"""The loop, played against a federation in memory: the world acts from within the participant's own events."""

import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fluvial.cli.participate import as_dict, as_line
from fluvial.edge import Participant
from fluvial.edge.errors import NotEnrolled, TrainingFailed
from fluvial.edge.events import (
    Answered,
    Discarded,
    Event,
    Finished,
    Interrupted,
    Judged,
    Measured,
    NotAgreed,
    NotInvited,
    NotTrained,
    Paused,
    Published,
    RoundOpened,
    SatOut,
    TooLarge,
    Trained,
    Waiting,
)
from fluvial.encoding import encoder
from fluvial.encoding.fitting import decoded
from fluvial.encoding.span import spans
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.processor import processor_class
from fluvial.kafka import Position
from fluvial.wire.framing import MAGIC
from fluvial.wire.records import (
    Decision,
    HeldOutMetrics,
    Metric,
    Outcome,
    ParticipantStatus,
    Reason,
    Round,
    RoundStatus,
    SignedAgreement,
    WindowMode,
    WithdrawnAgreement,
)
from tests.unit.fluvial.edge.world import CHUNK_ELEMENTS, LAYOUT, TASK, World, soon_after, wait_until
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

pytestmark = pytest.mark.timeout(60)


def train(base_D: np.ndarray, round_: Round) -> tuple[np.ndarray, int]:
    return np.full_like(base_D, round_.round / 10), 7


class Script:
    """Records events and reacts to each kind by a function."""

    def __init__(self, **reactions) -> None:
        self.events: list[Event] = []
        self._reactions = reactions

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        reaction = self._reactions.get(type(event).__name__)
        if reaction:
            reaction(event)

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


def test_every_round_gets_an_update_until_the_task_is_finished(participant, world: World, key) -> None:
    def next_round(event: Published) -> None:
        if event.round < 3:
            world.open_round(number=event.round + 1)
        else:
            world.open_round(number=3, attempt=1, status=RoundStatus.FINISHED)

    world.open_round()
    script = Script(Published=next_round)
    assert participant.participate(TASK, train, on_event=script) == 3
    assert [update.round for update in world.updates(key.public_key)] == [1, 2, 3]
    assert [event.weight for event in script.of(Trained)] == [7, 7, 7]
    assert script.of(Finished) == [Finished(task=TASK, version=2)]


def test_a_pause_is_waited_for_and_a_removed_task_ends(participant, world: World, key) -> None:
    def pause(event: Published) -> None:
        world.open_round(number=event.round + 1, status=RoundStatus.PAUSED)

    def resume(event: Paused) -> None:
        if event.round.round == 2:
            world.open_round(number=2)
        else:
            world.open_round(number=3, status=RoundStatus.REMOVED)

    world.open_round()
    script = Script(Published=pause, Paused=resume)
    assert participant.participate(TASK, train, on_event=script) == 2
    assert [event.round.round for event in script.of(Paused)] == [2, 3]
    assert script.of(Finished) == [Finished(task=TASK, version=2, removed=True)]
    assert [as_dict(event)["event"] for event in script.of(Paused)] == ["Paused", "Paused"]


def test_a_pause_lets_go_of_nothing_that_is_unsent(participant, world: World) -> None:
    rounds = participant.rounds(TASK)
    world.open_round()
    opened = next(rounds)
    participant._publisher.store(opened, np.full(opened.num_elements, 0.1, np.float32), 7, "float32")
    paused = replace(opened, attempt=2, status=RoundStatus.PAUSED)
    assert participant._publisher.resume(paused, lambda event: None) == []
    assert len(participant.outbox.uploads(TASK)) == 1


def test_it_ends_when_the_last_of_max_rounds_is_over(participant, world: World, key) -> None:
    world.open_round()
    script = Script(Published=lambda event: world.open_round(number=event.round + 1))
    assert participant.participate(TASK, train, 2, script) == 2
    assert [update.round for update in world.updates(key.public_key)] == [1, 2]


def test_a_reopened_round_is_answered_without_training_or_uploading_again(
    participant, world: World, transport: MemoryTransport, key
) -> None:
    def reopen(event: Published) -> None:
        if event.attempt == 1:
            world.open_round(attempt=2)
        else:
            world.open_round(number=2, status=RoundStatus.FINISHED)

    world.open_round()
    script = Script(Published=reopen)
    participant.participate(TASK, train, on_event=script)
    assert len(script.of(Trained)) == 1
    assert [event.reopened for event in script.of(RoundOpened)] == [False, True]
    one, two = world.updates(key.public_key)
    assert one.chunks == two.chunks
    assert len(world.chunks()) == len(one.chunks)


def test_after_a_restart_a_round_already_answered_is_left_alone(
    participant, world: World, federation, key, tmp_path
) -> None:
    from fluvial.edge import Participant

    participant.publish(world.open_round(), np.zeros(1050, np.float32), 1)
    participant.outbox.close()
    with Participant(federation, "alice", key, tmp_path / "alice.sqlite", participant.transport) as again:
        script = Script(Published=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
        timer = threading.Timer(0.3, lambda: world.open_round(number=2))
        timer.start()
        again.participate(TASK, train, on_event=script)
        timer.join()
    assert [update.round for update in world.updates(key.public_key)] == [1, 2]


def test_an_absent_broker_is_waited_for(participant, world: World, transport: MemoryTransport, key) -> None:
    world.open_round()
    transport.fail_produce_after(5)

    def heal(event: Interrupted) -> None:
        transport.heal()

    script = Script(Interrupted=heal, Published=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
    participant.participate(TASK, train, on_event=script)
    assert len(script.of(Interrupted)) == 1
    assert len(script.of(Trained)) == 1
    (update,) = world.updates(key.public_key)
    assert len(world.chunks()) == len(update.chunks)


def test_verdicts_and_receipts_are_reported(participant, world: World, transport: MemoryTransport) -> None:
    def answer(event: Published) -> None:
        (sent,) = transport.messages(world.topics.updates)
        at = participant.outbox.envelopes()[0].position
        assert (sent.partition, sent.offset) == (at.partition, at.offset)
        world.judge(world.topics.updates, at, "alice", Decision.ACCEPT, Reason.ACCEPTED, event.update_id)
        world.judge(world.topics.updates, at, "bob", Decision.REJECT, Reason.SIGNATURE)
        world.answer("alice", event.update_id)

    world.open_round()
    script = Script(Published=answer, Answered=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
    participant.participate(TASK, train, on_event=script)
    (judged,) = script.of(Judged)
    assert judged.verdict.decision is Decision.ACCEPT
    (answered,) = script.of(Answered)
    assert answered.receipt.outcome is Outcome.INCLUDED
    assert participant.verdict_of(judged.verdict.update_id) == judged.verdict
    assert participant.receipts() == [answered.receipt]


def test_a_verdict_on_a_forgery_in_ones_name_is_not_ones_own(participant, world: World) -> None:
    from fluvial.kafka import Position

    update_id = participant.publish(world.open_round(), np.zeros(1050, np.float32), 1)
    elsewhere = Position(partition=2, offset=12345, timestamp_ms=1)
    world.judge(world.topics.updates, elsewhere, "alice", Decision.REJECT, Reason.SIGNATURE, update_id)
    assert participant.verdict_of(update_id, timeout=0.05) is None


def test_a_verdict_of_a_newer_release_is_told_in_the_log(participant, world: World, caplog) -> None:
    newer = MAGIC + b"newer..." + b"whatever it says"
    assert participant.receipts(timeout=0.05) == []
    world.put(world.topics.verdicts, "bob", newer)
    world.put(world.topics.verdicts, "alice", newer)
    assert participant.receipts(timeout=0.05) == []
    (warning,) = [record.getMessage() for record in caplog.records if "not understood" in record.getMessage()]
    assert "Verdict for alice" in warning
    assert "a newer release may know it" in warning


@pytest.mark.parametrize(
    ("seed", "status", "words"),
    [
        (b"n", ParticipantStatus.ACTIVE, "enrolled with another key"),
        (b"k", ParticipantStatus.REVOKED, "took the key of alice out of force"),
    ],
)
def test_a_key_that_is_revoked_or_replaced_in_mid_run_ends_the_loop(
    participant, world: World, key, seed: bytes, status: ParticipantStatus, words: str
) -> None:
    def change(event: Published) -> None:
        world.enrolled("alice", SigningKey.from_seed(seed * 32), status=status, version=1)

    world.enrolled("alice", key)
    world.open_round()
    script = Script(Published=change)
    with pytest.raises(NotEnrolled, match=words):
        participant.participate(TASK, train, on_event=script)
    assert len(script.of(Published)) == 1
    world.open_round(number=2)
    with pytest.raises(NotEnrolled, match=words):
        next(participant.rounds(TASK))


def test_who_waits_for_a_round_hears_that_the_key_was_revoked(participant, world: World, key) -> None:
    world.enrolled("alice", key)
    revoked = {"status": ParticipantStatus.REVOKED, "version": 1}
    with pytest.raises(NotEnrolled):
        participant.participate(TASK, train, on_event=Script(Waiting=lambda _: world.enrolled("alice", key, **revoked)))


def test_a_key_that_this_very_participant_has_rotated_is_its_own(participant, world: World, key) -> None:
    world.enrolled("alice", key)
    participant._entry.check(key.public_key)
    new_key = SigningKey.from_seed(b"n" * 32)

    def admit() -> None:
        wait_until(world.enrolment_requests)
        world.admit(*world.enrolment_requests()[0], version=1)

    registrar = threading.Thread(target=admit)
    registrar.start()
    participant.rotate_key(new_key, timeout=20)
    registrar.join()
    world.open_round(status=RoundStatus.FINISHED)
    assert participant.participate(TASK, train) == 0
    world.open_round(number=2)
    assert next(participant.rounds(TASK)).round == 2


def test_who_starts_again_is_not_told_former_answers_again(
    federation: Federation, transport: MemoryTransport, world: World, key, tmp_path: Path
) -> None:
    def judged(event: Published) -> None:
        at = Position(partition=event.partition, offset=event.offset, timestamp_ms=1_000_000)
        world.judge(world.topics.updates, at, "alice", Decision.ACCEPT, Reason.ACCEPTED, event.update_id)
        world.answer("alice", event.update_id)
        world.open_round(number=event.round + 1, status=RoundStatus.OPEN if event.round == 1 else RoundStatus.FINISHED)

    world.open_round()
    for expected in (1, 1):
        script = Script(Published=judged)
        with Participant(federation, "alice", key, tmp_path / "alice.sqlite", transport) as participant:
            participant.participate(TASK, train, max_rounds=1, on_event=script)
            assert [len(script.of(kind)) for kind in (Judged, Answered)] == [expected, expected]
            newest = script.of(Published)[0]
            assert participant.verdict_of(newest.update_id, timeout=1).decision is Decision.ACCEPT


def test_a_verdict_needs_an_update_that_was_sent(participant) -> None:
    with pytest.raises(ValueError, match="no update"):
        participant.verdict_of("nothing")


def test_what_a_mask_hides_is_not_published(participant, world: World) -> None:
    round_ = world.open_round()
    delta_D = np.ma.masked_equal(np.arange(round_.num_elements, dtype=np.float32), 3)
    with pytest.raises(ValueError, match="masked elements"):
        participant.publish(round_, delta_D, 5)


def test_a_weight_above_the_rounds_limit_is_lowered_to_it(participant, world: World, key) -> None:
    world.open_round()
    script = Script(Published=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
    participant.participate(TASK, lambda base_D, round_: (np.zeros_like(base_D), 5000), on_event=script)
    (update,) = world.updates(key.public_key)
    assert update.weight == 1000


def test_an_encoding_that_the_round_does_not_take_is_refused_before_training(participant, world: World) -> None:
    world.open_round()
    script = Script()
    with pytest.raises(ValueError, match="not bfloat16"):
        participant.participate(TASK, train, on_event=script, encoding="bfloat16")
    assert script.of(Trained) == []


def test_what_an_update_leaves_out_goes_with_the_next_after_the_receipt(participant, world: World, key) -> None:
    """The next round may be seen before the receipt, which was written with it."""
    answered: list[str] = []

    def published(event: Published) -> None:
        if event.round < 3:
            answered.append(event.update_id)
            threading.Timer(0.3, lambda: world.answer("alice", event.update_id)).start()
            world.open_round(number=event.round + 1, encodings=("top_k",))
        else:
            world.open_round(number=3, status=RoundStatus.FINISHED)

    deltas: list[np.ndarray] = []

    def train_once(base_D: np.ndarray, round_: Round) -> tuple[np.ndarray, int]:
        deltas.append(np.linspace(1, 2, base_D.size, dtype=np.float32) if round_.round == 1 else np.zeros_like(base_D))
        return deltas[-1], 7

    world.open_round(encodings=("top_k",))
    assert participant.participate(TASK, train_once, on_event=Script(Published=published), encoding="top_k") == 3
    codec = encoder("top_k")
    sent = []
    for update in world.updates(key.public_key):
        raws = participant.transport.fetch(
            world.topics.update_blobs, [(chunk.partition, chunk.offset) for chunk in update.chunks]
        )
        found = zip(raws, spans(LAYOUT, CHUNK_ELEMENTS), strict=True)
        sent.append(np.concatenate([codec.decode(raw, span, ()) for raw, span in found]))
    expected = codec.encode(deltas[0] - sent[0], LAYOUT, CHUNK_ELEMENTS)
    np.testing.assert_array_equal(sent[1], np.concatenate(list(decoded(codec, expected, LAYOUT, CHUNK_ELEMENTS))))
    assert np.count_nonzero(sent[2]), "what the second left out is in the third"


def test_that_no_round_was_opened_yet_is_told_once(participant, world: World) -> None:
    script = Script(
        Waiting=lambda event: threading.Timer(0.3, world.open_round).start(),
        Published=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED),
    )
    assert participant.participate(TASK, train, on_event=script) == 1
    assert script.events[0] == Waiting(task=TASK)
    assert len(script.of(Waiting)) == 1
    assert "waiting for a round of demo" in as_line(script.events[0])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"round": 0, "source_topic": "x.enrolments"}, "verdict on the enrolment: ACCEPT (ACCEPTED)"),
        ({"round": 0, "source_topic": "x.reports"}, "verdict on a measurement: ACCEPT (ACCEPTED)"),
        (
            {"decision": Decision.REJECT, "reason": Reason.NORM_EXCEEDED, "norm": 12.5},
            "verdict on round 1: REJECT (NORM_EXCEEDED): its L2 norm is 12.5, above the task's limits.max_norm",
        ),
        ({"decision": Decision.REJECT, "reason": Reason.TOKEN_INVALID}, "fluvial task token NAME"),
    ],
)
def test_a_verdict_is_told_with_what_it_is_on_and_what_to_do(participant, world: World, changes, line) -> None:
    def judge(event: Published) -> None:
        at = participant.outbox.envelopes()[0].position
        world.judge(world.topics.updates, at, "alice", Decision.ACCEPT, Reason.ACCEPTED, event.update_id)

    world.open_round()
    script = Script(Published=judge, Judged=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
    participant.participate(TASK, train, on_event=script)
    (judged,) = script.of(Judged)
    assert line in as_line(Judged(verdict=replace(judged.verdict, **{"round": 1, **changes})))


def test_stopping_ends_the_loop_between_rounds(participant, world: World) -> None:
    world.open_round()
    assert participant.participate(TASK, train, on_event=Script(Published=lambda event: participant.stop())) == 1


def test_who_is_not_invited_waits_for_a_round_that_does(participant, world: World, key) -> None:
    """The seeds of zeros and of ones put alice at 0.68 and at 0.61."""

    def next_round(event: NotInvited) -> None:
        world.open_round(number=2, invited_fraction=0.65, seed=bytes([1]) * 32)

    world.open_round(invited_fraction=0.65, seed=bytes(32))
    script = Script(
        NotInvited=next_round, Published=lambda event: world.open_round(number=3, status=RoundStatus.FINISHED)
    )
    assert participant.participate(TASK, train, on_event=script) == 1
    assert [update.round for update in world.updates(key.public_key)] == [2]
    assert [event.round.round for event in script.of(NotInvited)] == [1]


def test_who_has_withdrawn_an_agreement_trains_for_no_round_that_asks_for_it(participant, world: World, key) -> None:
    """What was trained for a round that was opened before is sent, as the gate takes it; the next one goes without; and
    signing again is enough to go on."""
    text = world.publish_agreement()
    signed = SignedAgreement(agreement="research", sha256=text)
    gone = WithdrawnAgreement(agreement="research", sha256=text, withdrawn_ms=5_000)
    world.enrolled("alice", key, agreements=(signed,))
    stored = world.open_round(agreement="research", opened_ms=4_999)
    participant._publisher.store(stored, np.full(stored.num_elements, 0.1, np.float32), 7, "float32")
    world.enrolled("alice", key, version=1, withdrawn=(gone,))

    def sign_again(event: NotAgreed) -> None:
        assert event.withdrawn
        world.enrolled("alice", key, version=2, agreements=(signed,))

    def next_round(event: Published) -> None:
        status = RoundStatus.OPEN if event.round == 1 else RoundStatus.FINISHED
        world.open_round(number=event.round + 1, agreement="research", opened_ms=5_000, status=status)

    script = Script(NotAgreed=sign_again, Published=next_round)
    assert participant.participate(TASK, train, on_event=script) == 2
    assert [event.round.round for event in script.of(NotAgreed)] == [2]
    assert [event.round.round for event in script.of(Trained)] == [2]
    assert "its agreement research is withdrawn" in as_line(script.of(NotAgreed)[0])
    assert as_dict(script.of(NotAgreed)[0])["withdrawn"] is True


def test_nothing_new_is_trained_after_a_withdrawal_even_for_a_round_that_was_open(
    participant, world: World, key
) -> None:
    text = world.publish_agreement()
    gone = WithdrawnAgreement(agreement="research", sha256=text, withdrawn_ms=5_000)
    world.enrolled("alice", key, version=1, withdrawn=(gone,))
    world.open_round(agreement="research", opened_ms=4_999)
    script = Script(NotAgreed=lambda event: participant.stop())
    assert participant.participate(TASK, train, on_event=script) == 0
    assert not script.of(Trained)


@pytest.mark.parametrize(("terms", "weights"), [("", (0, 1)), ('{"participation":{"min_examples":50}}', (49, 50))])
def test_who_has_too_few_examples_sits_the_round_out(
    participant, world: World, key, terms: str, weights: tuple[int, int]
) -> None:
    few, enough = weights

    def train_little(base_D, round_):
        return np.zeros_like(base_D), few if round_.round == 1 else enough

    world.open_round(terms=terms)
    script = Script(
        SatOut=lambda event: world.open_round(number=2, terms=terms),
        Published=lambda event: world.open_round(number=3, status=RoundStatus.FINISHED),
    )
    assert participant.participate(TASK, train_little, on_event=script) == 1
    assert [(update.round, update.weight) for update in world.updates(key.public_key)] == [(2, enough)]
    (sat_out,) = script.of(SatOut)
    assert (sat_out.round.round, sat_out.weight, sat_out.min_examples) == (1, few, enough)


def test_training_that_returns_nothing_sits_the_round_out(participant, world: World, key) -> None:
    world.open_round()
    script = Script(
        SatOut=lambda event: world.open_round(number=2),
        Published=lambda event: world.open_round(number=3, status=RoundStatus.FINISHED),
    )

    def train_second(base_D, round_):
        return train(base_D, round_) if round_.round == 2 else None

    assert participant.participate(TASK, train_second, on_event=script) == 1
    assert [(event.round.round, event.weight) for event in script.of(SatOut)] == [(1, 0)]
    assert [update.round for update in world.updates(key.public_key)] == [2]


def test_training_that_diverges_publishes_nothing_and_the_next_round_is_taken(
    participant, world: World, key, caplog
) -> None:
    def train_badly(base_D, round_):
        if round_.round == 1:
            return np.full_like(base_D, np.nan), 5
        if round_.round == 2:
            raise TrainingFailed("the loss is nan in epoch 1 of 1")
        return train(base_D, round_)

    world.open_round()
    script = Script(
        NotTrained=lambda event: world.open_round(number=event.round.round + 1),
        Published=lambda event: world.open_round(number=4, status=RoundStatus.FINISHED),
    )
    assert participant.participate(TASK, train_badly, on_event=script) == 1
    assert [update.round for update in world.updates(key.public_key)] == [3]
    reasons = [event.reason for event in script.of(NotTrained)]
    assert ["not all finite" in reasons[0], reasons[1:]] == [True, ["the loss is nan in epoch 1 of 1"]]
    assert "round 2 of" in caplog.text
    assert "goes on without an update: the loss is nan" in caplog.text
    assert "goes on without" in as_line(script.of(NotTrained)[0])
    assert as_dict(script.of(NotTrained)[1])["reason"] == reasons[1]


def test_an_update_beyond_the_rounds_limits_is_told_before_it_is_sent(participant, world: World, key) -> None:
    world.open_round(max_abs=0.05)
    script = Script(Published=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
    assert participant.participate(TASK, train, on_event=script) == 1
    (told,) = script.of(TooLarge)
    assert (told.excess.limit, told.excess.most, told.excess.value) == ("limits.max_abs", 0.05, np.float32(0.1))
    assert script.events.index(told) < script.events.index(script.of(Published)[0])
    assert "so it will be refused: its largest element is 0.1, most of it in" in as_line(told)
    assert as_dict(told)["limit"] == "limits.max_abs"


def test_a_count_of_numpys_is_a_plain_weight_in_events_and_in_the_log(participant, world: World, key) -> None:
    world.open_round()
    script = Script(Published=lambda event: world.open_round(number=2, status=RoundStatus.FINISHED))
    participant.participate(TASK, lambda base_D, _: (np.zeros_like(base_D), np.ones(25, bool).sum()), on_event=script)
    (trained,) = script.of(Trained)
    assert type(trained.weight) is int
    assert json.loads(json.dumps(as_dict(trained)))["weight"] == 25
    assert [update.weight for update in world.updates(key.public_key)] == [25]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ((np.zeros(1050, np.float32), 25.0), "the weight must be"),
        ((np.zeros(1050, np.float32), float("nan")), "the weight must be"),
        ((np.zeros(1050, np.float32), True), "the weight must be"),
        (np.zeros(1050, np.float32), "training must return"),
        (7, "training must return"),
    ],
)
def test_what_training_may_not_return_is_named_and_nothing_is_stored(
    participant, world: World, returned, message: str
) -> None:
    world.open_round()
    script = Script()
    with pytest.raises(ValueError, match=message):
        participant.participate(TASK, lambda base_D, round_: returned, on_event=script)
    assert script.of(Trained) == []
    assert participant.outbox.uploads() == []


def test_a_round_whose_terms_are_newer_than_the_client_is_left_alone(participant, world: World, key, caplog) -> None:
    world.open_round(terms='{"secrecy":{"noise":1}}')
    finish = lambda: world.open_round(number=2, status=RoundStatus.FINISHED)  # noqa: E731
    end = soon_after(lambda: "update fluvial" in caplog.text, finish)
    assert participant.participate(TASK, train) == 0
    end.join()


BUFFERED = {"window": WindowMode.BUFFERED, "max_staleness": 2}


def test_the_next_attempt_of_an_asynchronous_round_has_the_update_already(participant, world: World, key) -> None:
    def go_on(event: Published) -> None:
        world.open_round(attempt=2, **BUFFERED)
        timer.start()

    timer = threading.Timer(0.3, lambda: world.open_round(number=2, status=RoundStatus.FINISHED, **BUFFERED))
    world.open_round(**BUFFERED)
    participant.participate(TASK, train, on_event=Script(Published=go_on))
    timer.join()
    assert [(update.round, update.attempt) for update in world.updates(key.public_key)] == [(1, 1)]


def test_an_update_that_was_cut_short_is_completed_for_its_own_asynchronous_round(
    participant, world: World, transport: MemoryTransport, key
) -> None:
    """The broker goes away under the upload, and is back when two more rounds have been opened."""

    def heal(event: Interrupted) -> None:
        transport.heal()
        world.open_round(attempt=3, **BUFFERED)
        world.open_round(number=2, **BUFFERED)
        world.open_round(number=3, **BUFFERED)

    def finish(event: Published) -> None:
        if event.round == 3:
            world.open_round(number=4, status=RoundStatus.FINISHED, **BUFFERED)

    world.open_round(**BUFFERED)
    transport.fail_produce_after(5)
    script = Script(Interrupted=heal, Published=finish)
    assert participant.participate(TASK, train, on_event=script) == 1
    first, third = world.updates(key.public_key)
    assert [(update.round, update.attempt, update.base_version) for update in (first, third)] == [(1, 1, 0), (3, 1, 2)]
    assert world.delta_of(first) == pytest.approx(0.1)
    assert script.of(Discarded) == []


def test_an_unsent_update_that_lags_behind_too_far_is_dropped(
    participant, world: World, transport: MemoryTransport, key
) -> None:
    def heal(event: Interrupted) -> None:
        transport.heal()
        world.open_round(number=4, **BUFFERED)

    world.open_round(**BUFFERED)
    transport.fail_produce_after(5)
    script = Script(
        Interrupted=heal,
        Published=lambda event: world.open_round(number=5, status=RoundStatus.FINISHED, **BUFFERED),
    )
    participant.participate(TASK, train, on_event=script)
    assert [update.round for update in world.updates(key.public_key)] == [4]
    assert script.of(Discarded) == [Discarded(task=TASK, round=1)]


def test_resume_completes_what_an_asynchronous_round_still_takes(
    participant, world: World, transport: MemoryTransport, federation, key, tmp_path
) -> None:
    from fluvial.edge import Participant
    from fluvial.kafka import TransportUnavailable

    round_ = world.open_round(**BUFFERED)
    transport.fail_produce_after(5)
    with pytest.raises(TransportUnavailable):
        participant.publish(round_, np.ones(1050, np.float32), 1)
    participant.outbox.close()
    transport.heal()
    world.open_round(number=2, **BUFFERED)
    with Participant(federation, "alice", key, tmp_path / "alice.sqlite", transport) as again:
        assert len(again.resume()) == 1
    (update,) = world.updates(key.public_key)
    assert (update.round, update.attempt) == (1, 1)


def test_who_wants_to_tells_how_it_trained(participant, world: World, key) -> None:
    def finish(event: Published) -> None:
        world.open_round(number=1, attempt=1, status=RoundStatus.FINISHED)

    world.open_round()
    participant.participate(TASK, train, on_event=Script(Published=finish), tells_training=True)
    (update,) = world.updates(key.public_key)
    (told,) = update.trained
    assert told.device_class == processor_class()
    assert (told.precision, told.epochs) == ("float32", 2)
    assert told.seconds >= 0.0
    assert told.bytes_sent == 4 * sum(math.prod(tensor.shape) for tensor in LAYOUT)


TOLD = HeldOutMetrics(attribute="", group="", num_examples=12, metrics=(Metric(name="accuracy", value=0.75),))
ASKS = '{"held_out":{"metrics":["accuracy"]}}'


def test_metrics_on_held_out_examples_are_signed_with_the_update_where_the_round_asks(
    participant, world: World, key
) -> None:
    def measure(base_D: np.ndarray, round_: Round) -> tuple[HeldOutMetrics, ...]:
        assert base_D[0] == round_.round, "the round's model, before training"
        return (TOLD,)

    def next_round(event: Published) -> None:
        world.open_round(number=2, status=RoundStatus.OPEN if event.round == 1 else RoundStatus.FINISHED)

    world.open_round(terms=ASKS)
    script = Script(Published=next_round)
    participant.participate(TASK, train, on_event=script, measure=measure)
    assert [update.measured for update in world.updates(key.public_key)] == [(TOLD,), ()]
    (event,) = script.of(Measured)
    assert as_line(event) == "  measured on 12 examples that are held out: accuracy 0.7500"
    assert as_dict(event)["measured"][0]["metrics"] == {"accuracy": 0.75}


def test_who_does_not_want_to_tell_tells_nothing(participant, world: World, key) -> None:
    world.open_round(terms=ASKS)
    participant.participate(TASK, train, max_rounds=1, on_event=Script(Published=lambda _: finish(world)))
    assert [update.measured for update in world.updates(key.public_key)] == [()]


def test_what_no_gate_would_take_is_refused_before_it_is_stored(participant, world: World) -> None:
    round_ = world.open_round(terms=ASKS)
    few = replace(TOLD, num_examples=9)
    with pytest.raises(ValueError, match="no form"):
        participant.publish(round_, np.zeros(round_.num_elements, np.float32), 7, measured=(few,))
    assert participant.outbox.uploads() == []


def finish(world: World) -> None:
    world.open_round(number=1, status=RoundStatus.FINISHED)


def test_a_tilde_is_the_users_home_in_a_program_too(
    federation: Federation, transport: MemoryTransport, key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    federation.save(tmp_path / "home" / "federation.json")
    key.save(Path("~/key.pem"))
    loaded, own = Federation.load(Path("~/federation.json")), SigningKey.load(Path("~/key.pem"))
    assert (loaded, own.public_key) == (federation, key.public_key)
    Participant(loaded, "alice", own, Path("~/alice.sqlite"), transport).close()
    assert (tmp_path / "home" / "alice.sqlite").exists()
    assert not (tmp_path / "~").exists()
