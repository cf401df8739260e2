"""A participant that asks for proofs acts on nothing that no signed leaf of the audit log has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fluvial.edge import Participant, participant
from fluvial.edge.errors import NotProvenYet
from fluvial.edge.proven_log import ProvenLog
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.event import Recorded
from fluvial.transparency.merkle import leaf_hash
from fluvial.wire.errors import VerificationError
from fluvial.wire.layout import num_elements
from fluvial.wire.records import Decision, PublishedModel, Reason
from governance.audit.events import audit_event
from governance.audit.sequencer import append
from tests.unit.fluvial.edge.world import LAYOUT, LOG, OPERATOR, TASK, World

KEY = SigningKey.generate()


class Log:
    """The audit log of a world."""

    def __init__(self, world: World) -> None:
        self.world, self.end, self.tree = world, ChainEnd(), CompactRange.empty()

    def add(self, record: Recorded) -> None:
        self.end, leaf = append(self.end, audit_event(record, 1))
        self.tree = self.tree.append(leaf_hash(leaf))
        self.world.put(self.world.topics.audit, "", leaf)

    def sign(self) -> None:
        checkpoint = Checkpoint(origin="log.example/audit", size=self.tree.size, root=self.tree.root())
        self.world.put(self.world.topics.checkpoints, "", sign_checkpoint(checkpoint, LOG))


@pytest.fixture
def careful(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Participant]:
    monkeypatch.setattr(participant, "_PROOF_SECONDS", 0.3)
    monkeypatch.setattr(participant, "_POLL_SECONDS", 0.02)
    with Participant(world.federation, "anna", KEY, tmp_path / "outbox.sqlite", world.transport, proven=True) as found:
        yield found


def a_model(digest: bytes, version: int = 1) -> PublishedModel:
    return PublishedModel(
        task=TASK,
        version=version,
        round=version,
        attempt=1,
        model_digest=digest,
        manifest_sha256=bytes(32),
        num_selected=1,
        num_contributions=1,
    )


def test_a_model_is_trained_on_when_a_signed_leaf_has_it_and_not_before(world: World, careful: Participant) -> None:
    world.publish_task()
    round_, log = world.open_round(2), Log(world)
    log.add(a_model(round_.base_digest))
    with pytest.raises(NotProvenYet, match=r"no signed leaf .* version 1"):
        careful.base_model(round_)
    log.sign()
    np.testing.assert_array_equal(careful.base_model(round_), np.full(num_elements(LAYOUT), 2, np.float32))


def test_a_model_that_the_log_has_otherwise_is_refused(world: World, careful: Participant) -> None:
    """The aggregator has signed two: one for everybody's log, one for this participant."""
    world.publish_task()
    round_, log = world.open_round(2), Log(world)
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
    log, place = Log(world), Position(partition=0, offset=3, timestamp_ms=9)
    topic = world.topics.updates
    careful.mailbox()
    forged = world.judge(topic, place, "anna", Decision.REJECT, Reason.NORM_EXCEEDED)
    assert careful.verdict_at(topic, place, 0.3) is None
    genuine = world.judge(topic, place, "anna", Decision.ACCEPT, Reason.ACCEPTED)
    log.add(genuine)
    log.sign()
    assert careful.verdict_at(topic, place, 5.0) == genuine != forged


def test_a_receipt_is_a_hint_until_a_signed_leaf_has_it(world: World, careful: Participant) -> None:
    log = Log(world)
    careful.mailbox()
    world.answer("anna", "forged")
    genuine = world.answer("anna", "genuine")
    log.add(genuine)
    log.sign()
    assert careful.receipts(5.0) == [genuine]


def test_what_was_proven_is_known_after_a_restart_and_read_on_from_there(world: World, tmp_path: Path) -> None:
    log, digest = Log(world), bytes([5]) * 32
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
    os.utime(tmp_path / "state" / "log.proven", (0, 0))  # the clock of these topics does not show today's time
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
    with Participant(world.federation, "anna", KEY, tmp_path / "outbox.sqlite", world.transport) as trusting:
        assert trusting.base_model(world.open_round(2)).size == num_elements(LAYOUT)
