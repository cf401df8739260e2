"""Who sends too much is refused unopened, once for each record, and takes nothing from anybody else."""

from __future__ import annotations

import sys
from dataclasses import replace
from hashlib import sha256
from random import Random
from unittest.mock import patch

from fluvial.admission.over_rate import MAX_RECORDS
from fluvial.admission.rates import BYTES_OF_ONE, Rate, Rates
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode
from fluvial.wire.records import OverRate, Reason
from governance.admission import signature
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.validation.operators import share
from tests.unit.governance.admission.builders import (
    KEY,
    a_participant,
    an_inline_update,
    an_update,
    inline_round,
    sealed,
)
from tests.unit.pipelines.validation.stage import REGISTRAR, ValidationStage

BOB = SigningKey.from_seed(bytes([9]) * 32)


def a_stage() -> ValidationStage:
    stage = ValidationStage()
    stage.settings = stage.settings.model_copy(update={"named_rate": (64, 32), "unnamed_rate": (64, 32)})
    return stage


def reasons(stage: ValidationStage, offsets: list[int]) -> list[str]:
    return [reason for offset in offsets for reason in stage.reasons()[3, offset]]


def test_what_a_participant_sends_too_much_is_refused_before_its_signature_is_looked_at() -> None:
    with a_stage() as stage:
        junk = [sealed(an_update(base_digest=bytes(32), created_ms=number)) for number in range(500)]
        with patch.object(signature, "verify_envelopes", wraps=signature.verify_envelopes) as verify:
            offsets = stage.send(junk)
        stage.checkpoint()
        found = reasons(stage, offsets)
        assert found == [Reason.WRONG_BASE.value] * 64 + [Reason.OVER_RATE.value] * 436
        assert sum(len(call.args[0]) for call in verify.call_args_list) == 64
        assert len(stage.quarantined) == 64
        assert [len(stage.over_rates), stage.over_rates[0].participant] == [1, "alice"]
        assert len(stage.verdicts) == 64
        digests = b"".join(sha256(raw).digest() for raw in junk[64:])
        assert stage.over_rates[0].records_sha256 == sha256(digests).digest()
        assert decode(stage.events[-1].data, OverRate) == stage.over_rates[0]


def test_who_judges_does_not_wait_for_long_until_who_counts_lets_go_of_the_interpreter() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        with a_stage():
            assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(before)


def test_others_are_judged_as_if_nobody_had_sent_junk() -> None:
    with a_stage() as stage:
        stage.register(a_participant(participant="bob", public_key=BOB.public_key), REGISTRAR)
        stage.announce(inline_round(round=4))
        stage.send([sealed(an_update(created_ms=number)) for number in range(500)])
        update = an_inline_update(round_=inline_round(round=4))
        honest = stage.send([sealed(replace(update, participant="bob"), BOB, "bob")], key=b"bob")
        stage.settle()
        assert reasons(stage, honest) == ["ACCEPTED"]


def test_a_thousand_names_of_nobody_get_no_more_than_one() -> None:
    with a_stage() as stage:
        offsets = [
            offset
            for number in range(300)
            for offset in stage.send([sealed(an_update(), KEY, f"nobody-{number}")], key=f"nobody-{number}".encode())
        ]
        stage.checkpoint()
        at_once = [stage.reasons().get((3, offset), [""])[0] for offset in offsets]
        assert at_once.count("OVER_RATE") == 300 - 64


def test_two_floods_in_one_partition_have_a_record_each_without_what_lies_between() -> None:
    with a_stage() as stage:
        stage.register(a_participant(participant="bob", public_key=BOB.public_key), REGISTRAR)
        offsets = [
            offset
            for number in range(200)
            for key in (b"alice", b"nobody-%d" % number, b"bob" if number == 150 else b"alice")
            for offset in stage.send([b"junk %d" % number], key=key)
        ]
        stage.settle()
        stage.checkpoint()
        assert [len(of) for of in stage.reasons().values()] == [1] * len(offsets)
        assert {each.participant for each in stage.over_rates} == {"alice", ""}
        assert reasons(stage, [offsets[150 * 3 + 2]]) == ["ENVELOPE"]


def test_a_flood_between_two_checkpoints_has_as_many_records_as_it_takes() -> None:
    with a_stage() as stage:
        stage.send([b"junk"] * (64 + MAX_RECORDS + 1))
        assert len(stage.over_rates) == 1
        stage.checkpoint()
        stage.checkpoint()
        assert [sum(run.length for run in each.runs) for each in stage.over_rates] == [MAX_RECORDS, 1]


def test_what_a_checkpoint_found_under_way_stays_in_no_memory() -> None:
    with a_stage() as stage:
        stage.send([b"junk"] * 200)
        assert not stage.over_rates
        stage.checkpoint()
        assert len(stage.over_rates) == 1
        stage.checkpoint()
        assert len(stage.over_rates) == 1


def test_a_job_that_starts_anew_gives_no_second_verdict() -> None:
    with a_stage() as stage:
        offsets = stage.send([sealed(an_update(created_ms=number)) for number in range(200)])
        stage.settle()
        stage.checkpoint()
        before = reasons(stage, offsets)
        stage.start_anew()
        stage.settle()
        stage.checkpoint()
        assert reasons(stage, offsets) == before
        assert len(before) == 200


def test_what_is_remembered_of_keys_is_bounded_and_forgotten_when_the_registry_changes() -> None:
    with a_stage() as stage:
        names = share.EnrolledNames(stage.known.trusted)
        assert [names[key] for key in (b"alice", b"bob", b"x" * 129, None)] == ["alice", "", "", ""]
        assert set(names) == {b"alice", b"bob"}
        stage.register(a_participant(participant="bob", public_key=BOB.public_key), REGISTRAR)
        names.renew()
        assert names[b"bob"] == "bob"
        for number in range(10_000):
            assert names[b"nobody-%d" % number] == ""
        assert len(names) <= 4_096


def test_a_bundle_is_shared_out_as_its_records_would_be_one_by_one() -> None:
    with a_stage() as stage:
        stage.register(a_participant(participant="bob", public_key=BOB.public_key), REGISTRAR)
        dice, at_ms, records = Random(1), 0, []
        for offset in range(1_000):
            at_ms += dice.choice((0, 0, 0, 0, 0, 0, 0, 10))
            key = dice.choice((b"alice", b"bob", b"nobody", None))
            value = bytes(BYTES_OF_ONE if dice.random() < 0.02 else 10)
            records.append(SourceRecord(dice.randrange(2), offset, at_ms, key, value))
        rates, enrolled = Rates(Rate(64, 32), Rate(64, 32)), {b"alice": "alice", b"bob": "bob"}
        expected = [
            each.offset
            for each in records
            if rates.take((each.partition, enrolled.get(each.key or b"", "")), len(each.value), each.timestamp_ms)
        ]
        looked_at = []
        for start in range(0, len(records), 100):
            frames = [source_frame(each) for each in records[start : start + 100]]
            for bundle in stage.share.flat_map(pack_bundle(Kind.SOURCE, frames)):
                looked_at += [each.offset for each in parse_sources(bundle)]
        assert looked_at == expected
        assert 384 < len(expected) < 900
