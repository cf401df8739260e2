"""A participant that asks for proofs acts on nothing that no signed leaf of the audit log has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluvial.edge import Participant, model_proofs, participation, proven_log
from fluvial.edge.errors import NotProvenYet
from fluvial.edge.events import Answered, Event, Finished, Interrupted, Unproven
from fluvial.edge.proven_log import ProvenLog
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signer_state import HEADER
from fluvial.wire.errors import VerificationError
from fluvial.wire.layout import num_elements
from fluvial.wire.records import Decision, Reason, RoundEvent, RoundStatus, RoundTransition
from governance.audit.events import audit_event
from governance.audit.sequencer import append
from tests.unit.fluvial.edge.world import LAYOUT, OPERATOR, TASK, World, a_model
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

KEY = SigningKey.generate()


@pytest.fixture
def world(federation: Federation, transport: MemoryTransport) -> World:
    return World(federation, transport, audited=False)


@pytest.fixture
def careful(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Participant]:
    monkeypatch.setattr(model_proofs, "_PROOF_SECONDS", 0.3)
    monkeypatch.setattr(model_proofs, "_POLL_SECONDS", 0.02)
    with Participant(world.federation, "anna", KEY, tmp_path / "outbox.sqlite", world.transport) as found:
        yield found


def test_a_model_is_trained_on_when_a_signed_leaf_has_it_and_not_before(world: World, careful: Participant) -> None:
    world.publish_task()
    round_, log = world.open_round(2), world.log
    log.add(a_model(round_.base_digest))
    with pytest.raises(NotProvenYet, match=r"does not tell of version 1 .* stage `audit` run"):
        careful.base_model(round_)
    log.sign()
    np.testing.assert_array_equal(careful.base_model(round_), np.full(num_elements(LAYOUT), 2, np.float32))


def test_a_model_that_the_log_has_otherwise_is_refused(world: World, careful: Participant) -> None:
    """The aggregator has signed two: one for everybody's log, one for this participant."""
    world.publish_task()
    round_, log = world.open_round(2), world.log
    log.add(a_model(bytes(32)))
    log.sign()
    with pytest.raises(VerificationError, match="another model than the audit log has as version 1"):
        careful.base_model(round_)


def test_the_first_model_is_the_operators(world: World, careful: Participant) -> None:
    task = world.publish_task()
    first = world.open_round(1)
    with pytest.raises(NotProvenYet):
        careful.base_model(first)
    registered = replace(task, base_digest=first.base_digest, version=1)
    world.put(world.topics.registry, f"task/{TASK}", seal(registered, OPERATOR, "operator"))
    assert careful.base_model(first).size == num_elements(LAYOUT)


def test_a_verdict_is_a_hint_until_a_signed_leaf_has_it(world: World, careful: Participant) -> None:
    log, place = world.log, Position(partition=0, offset=3, timestamp_ms=9)
    topic = world.topics.updates
    careful.mailbox()
    forged = world.judge(topic, place, "anna", Decision.REJECT, Reason.NORM_EXCEEDED)
    assert careful.verdict_at(topic, place, 0.3) is None
    genuine = world.judge(topic, place, "anna", Decision.ACCEPT, Reason.ACCEPTED)
    log.add(genuine)
    log.sign()
    assert careful.verdict_at(topic, place, 5.0) == genuine != forged


def test_a_receipt_is_a_hint_until_a_signed_leaf_has_it(world: World, careful: Participant) -> None:
    log = world.log
    careful.mailbox()
    world.answer("anna", "forged")
    genuine = world.answer("anna", "genuine")
    log.add(genuine)
    log.sign()
    assert careful.receipts(5.0) == [genuine]


def test_what_was_proven_is_known_after_a_restart_and_read_on_from_there(world: World, tmp_path: Path) -> None:
    log, digest = world.log, bytes([5]) * 32
    receipt = world.answer("anna", "u")
    for record in (a_model(digest, 4), receipt, replace(receipt, participant="ben")):
        log.add(record)
    log.sign()

    def opened() -> ProvenLog:
        return ProvenLog(world.transport, world.federation, "anna", tmp_path / "state" / "log.proven")

    first = opened()
    while first.size < 3:
        first.poll(0.1)
    first.close()
    again = opened()
    assert again.size == 3
    assert again.holds(receipt)
    assert not again.holds(replace(receipt, participant="ben"))
    assert (again.model_digest(TASK, 4), again.model_digest(TASK, 3)) == (digest, None)
    log.add(a_model(digest, 5))
    log.sign()
    while again.size < 4:
        again.poll(0.1)
    assert again.model_digest(TASK, 5) == digest
    again.close()


def test_who_does_not_ask_for_proofs_waits_for_none(world: World, tmp_path: Path) -> None:
    with Participant(
        world.federation, "anna", KEY, tmp_path / "outbox.sqlite", world.transport, proven=False
    ) as trusting:
        assert trusting.base_model(world.open_round(2)).size == num_elements(LAYOUT)


def sign_with_its_state(world: World, transport: MemoryTransport, **changes: Any) -> Position:
    place, state = world.log.sign(), replace(world.log.state, **changes)
    transport.put_beside(world.topics.checkpoints, place, ((HEADER, state.dump()),))
    return place


def test_who_joins_late_begins_at_a_checkpoint_of_before(
    world: World, transport: MemoryTransport, careful: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proven_log, "_CLOCKS_APART_MS", 0)
    world.publish_task()
    for version in range(20):
        world.log.add(a_model(bytes([version]) * 32, version + 100))
        before = sign_with_its_state(world, transport)
    round_ = world.open_round(2, opened_ms=before.timestamp_ms + 1)
    world.log.add(a_model(round_.base_digest))
    sign_with_its_state(world, transport)
    for offset in range(19):
        transport.remove(world.topics.audit, 0, offset)  # so that whoever would read them could prove nothing
    assert careful.base_model(round_).size == num_elements(LAYOUT)


def test_what_was_opened_before_its_start_is_read_from_further_back(
    world: World, transport: MemoryTransport, careful: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's leaf is older than the round: the task was paused, or its first attempts failed."""
    monkeypatch.setattr(proven_log, "_CLOCKS_APART_MS", 0)
    world.publish_task()
    round_ = world.open_round(2)
    world.log.add(a_model(round_.base_digest))
    before = sign_with_its_state(world, transport)
    opened = RoundEvent(task=TASK, round=2, attempt=3, transition=RoundTransition.OPENED, num_updates=0, base_version=1)
    world.log.add(opened)
    sign_with_its_state(world, transport)
    later = replace(round_, attempt=3, opened_ms=before.timestamp_ms + 1)
    assert careful.base_model(later).size == num_elements(LAYOUT)


@pytest.mark.parametrize("lie", [{"previous_sha256": bytes(32)}, {"last_offset": 0}, {"last_offset": 1 << 40}])
def test_what_anybody_writes_beside_a_checkpoint_only_delays(
    world: World,
    transport: MemoryTransport,
    careful: Participant,
    monkeypatch: pytest.MonkeyPatch,
    lie: dict[str, Any],
) -> None:
    """Tree and size must be those that were signed; where the next leaf lies is nobody's word."""
    monkeypatch.setattr(proven_log, "_CLOCKS_APART_MS", 0)
    monkeypatch.setattr(proven_log, "_STUCK_SECONDS", 0.05)
    monkeypatch.setattr(model_proofs, "_PROOF_SECONDS", 5.0)
    world.publish_task()
    for version in range(3):
        world.log.add(a_model(bytes([version]) * 32, version + 100))
    before = sign_with_its_state(world, transport, **lie)
    round_ = world.open_round(2, opened_ms=before.timestamp_ms + 1)
    world.log.add(a_model(round_.base_digest))
    sign_with_its_state(world, transport)
    assert careful.base_model(round_).size == num_elements(LAYOUT)


def test_what_was_kept_of_another_federation_counts_for_nothing(world: World, tmp_path: Path) -> None:
    path = tmp_path / "state" / "log.proven"
    world.log.add(a_model(bytes([5]) * 32, 4))
    world.log.sign()
    first = ProvenLog(world.transport, world.federation, "anna", path)
    while first.size < 1:
        first.poll(0.1)
    first.close()
    other_key = NoteKey(name="log.example/other", public_key=KEY.public_key).to_text()
    other = ProvenLog(world.transport, replace(world.federation, log_key=other_key), "anna", path)
    assert (other.size, other.model_digest(TASK, 4)) == (0, None)


def test_the_last_answers_are_told_when_their_leaves_are_signed(
    world: World, careful: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    careful.mailbox()
    receipt = world.answer("anna", "u")
    world.open_round(2, status=RoundStatus.FINISHED)

    def on_event(event: Event) -> None:
        told.append(event)

    world.log.add(receipt)
    threading.Timer(0.2, world.log.sign).start()
    careful.participate(TASK, lambda base, round_: None, on_event=on_event)
    assert Answered(receipt=receipt) in told
    world.answer("anna", "forged")
    monkeypatch.setattr(participation, "LAST_ANSWERS_SECONDS", 0.2)
    careful.participate(TASK, lambda base, round_: None, on_event=on_event)
    assert told[-2:] == [Unproven(num_answers=1), Finished(task=TASK, version=1)]


def test_without_the_stage_audit_it_is_said_so(world: World, careful: Participant) -> None:
    world.publish_task()
    events: list[Event] = []
    round_ = world.open_round(2)

    def on_event(event: Event) -> None:
        events.append(event)
        careful.stop()

    careful.participate(TASK, lambda base, round_: None, on_event=on_event)
    with pytest.raises(NotProvenYet, match="does its stage `audit` run"):
        careful.base_model(round_)
    assert "--unproven" in next(event.reason for event in events if isinstance(event, Interrupted))


def test_a_flood_of_records_that_continue_nothing_ends_no_participant(
    world: World, transport: MemoryTransport, careful: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write to the topic writes more between two checkpoints than is kept."""
    monkeypatch.setattr("fluvial.transparency.signed_leaves.MAX_UNSIGNED", 50)
    world.publish_task()
    world.log.add(a_model(bytes(32), 7))
    world.log.sign()
    junk = append(ChainEnd(size=1000), audit_event(a_model(bytes(32), 8), 1))[1]
    for _ in range(60):
        world.put(world.topics.audit, "", junk)
    with pytest.raises(NotProvenYet):
        careful.base_model(world.open_round(2))
    world.log.add(a_model(bytes(32), 9))
    sign_with_its_state(world, transport)
    with pytest.raises(NotProvenYet):
        careful.base_model(world.open_round(2))
    round_ = world.open_round(3)
    world.log.add(a_model(round_.base_digest, 2))
    sign_with_its_state(world, transport)
    assert careful.base_model(round_).size == num_elements(LAYOUT)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"of": 1, "log": "x"}', "\x00"])
def test_a_file_that_cannot_be_read_is_found_anew(world: World, tmp_path: Path, content: str) -> None:
    path = tmp_path / "log.proven"
    path.write_text(content)
    world.log.add(a_model(bytes(32), 4))
    world.log.sign()
    log = ProvenLog(world.transport, world.federation, "anna", path)
    while log.size < 1:
        log.poll(0.1)
    log.close()
    assert ProvenLog(world.transport, world.federation, "anna", path).size == 1
