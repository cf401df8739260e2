"""`fluvial governance acceleration`, over a federation in memory."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from typer.testing import CliRunner

from deploy.commands import governance
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.transparency.event import Recorded
from fluvial.wire.framing import encode
from fluvial.wire.records import (
    Decision,
    Outcome,
    Reason,
    Receipt,
    RoundEvent,
    RoundTransition,
    SequencedEvent,
    SignedAgreement,
    Verdict,
)
from governance.audit.events import audit_event
from tests.unit.fluvial.edge.world import AGGREGATOR, REGISTRAR, TASK, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport
from tests.unit.governance.admission.builders import a_participant, an_update
from tests.unit.governance.test_training_account import TOLD

KEY = SigningKey.generate()

SIGNED = (SignedAgreement(agreement="research", sha256=bytes(32)),)


class Log:
    """Two rounds of two participants: anna is in both models, ben is late once and silent."""

    def __init__(self, federation, transport):
        self.topics, self.transport, self.sequence = federation.topics, transport, 0
        world = World(federation, transport)
        world.publish_task()
        world.publish_manifest(1, AGGREGATOR)
        for name in ("anna", "ben"):
            record = replace(a_participant(), participant=name, public_key=KEY.public_key, agreements=SIGNED)
            self.produce(self.topics.registry, seal(record, REGISTRAR, "registrar"), f"participant/{name}")
        for round_ in (1, 2):
            self.leaf(
                RoundEvent(
                    task=TASK,
                    round=round_,
                    attempt=1,
                    transition=RoundTransition.OPENED,
                    num_updates=0,
                    base_version=1,
                )
            )
            self.answer("anna", round_, Outcome.INCLUDED, (TOLD,))
        self.answer("ben", 1, Outcome.LATE, ())

    def produce(self, topic, value, key="x"):
        return self.transport.produce(topic, value, key=key.encode()).result(5)

    def leaf(self, record: Recorded):
        event = SequencedEvent(sequence=self.sequence, previous_sha256=bytes(32), event=audit_event(record, 2_000))
        self.sequence += 1
        self.produce(self.topics.audit, encode(event))

    def answer(self, name, round_, outcome, trained):
        update = replace(an_update(), task=TASK, round=round_, participant=name, trained=trained)
        raw = seal(update, KEY, update.participant)
        place = self.produce(self.topics.updates, raw, update.participant)
        self.leaf(
            Verdict(
                source_topic=self.topics.updates,
                source_partition=place.partition,
                source_offset=place.offset,
                source_timestamp_ms=1,
                record_sha256=sha256(raw).digest(),
                participant=update.participant,
                task=TASK,
                round=update.round,
                attempt=1,
                update_id=update.update_id,
                decision=Decision.ACCEPT,
                reason=Reason.ACCEPTED,
                norm=1.0,
                max_abs=1.0,
            )
        )
        self.leaf(
            Receipt(
                task=TASK,
                round=update.round,
                attempt=1,
                participant=update.participant,
                update_id=update.update_id,
                outcome=outcome,
                version=1,
                weight=10,
                model_digest=bytes(32),
            )
        )


@pytest.fixture
def log(tmp_path, monkeypatch):
    federation = a_federation()
    federation.save(tmp_path / ".fluvial/federation.json")
    monkeypatch.chdir(tmp_path)
    transport = MemoryTransport(topic_partitions(federation))
    monkeypatch.setattr(governance, "connect", lambda brokers, client_id: transport)
    return Log(federation, transport)


def run(*arguments):
    return CliRunner().invoke(governance.app, ["acceleration", *arguments])


def test_the_account_is_of_what_the_log_says(log, tmp_path):
    found = json.loads(run(TASK, "--json", "--html", str(tmp_path / "account.html")).stdout)
    (device,) = found["devices"]
    assert (device["device"], device["updates"], found["silent"]) == ("AVX2", 2, 1)
    (group,) = found["groups"]
    assert (group["participants"], group["invitations"], group["met"]) == (2, 4, 0.75)
    assert group["included"] == pytest.approx(2 / 3)
    assert found["jain_index"] == 0.5
    page = (tmp_path / "account.html").read_text()
    assert page.count("<svg") == 1
    text = run(TASK).stdout
    assert "AVX2" in text
    assert "75.0 %" in text


def test_an_unknown_task_is_told(log):
    result = run("nothing")
    assert result.exit_code == 1
    assert "no task nothing" in result.stderr


def test_who_is_not_of_the_task_or_came_later_was_not_invited(log):
    """A federation has several tasks, and participants come one after the other."""
    for name, changes in (("carl", {}), ("dora", {"agreements": SIGNED, "enrolled_ms": 3_000})):
        record = replace(a_participant(), participant=name, public_key=KEY.public_key, **changes)
        log.produce(log.topics.registry, seal(record, REGISTRAR, "registrar"), f"participant/{name}")
    (group,) = json.loads(run(TASK, "--json").stdout)["groups"]
    assert (group["participants"], group["uninvited"], group["invitations"]) == (3, 1, 4)
