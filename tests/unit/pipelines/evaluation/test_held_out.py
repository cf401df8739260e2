"""What evaluation makes of participants' own measurements."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from fluvial.edge.metrics import Measured
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import ChunkReference, Contribution, HeldOutMetrics, Metric, ModelManifest, Release, Task
from governance.audit.events import MAX_DATA_BYTES, audit_event
from pipelines.evaluation.held_out import participants_metrics
from pipelines.evaluation.measuring import Measuring
from tests.unit.deploy.demo.records import manifest
from tests.unit.fluvial.auditor.world import an_update
from tests.unit.pipelines.evaluation.test_measuring import IDENTITY, TASK

KEY = SigningKey.from_seed(b"k" * 32)
TERMS = '{"held_out":{"metrics":["accuracy"]}}'


def an_envelope(name: str, accuracy: float) -> bytes:
    told = HeldOutMetrics(attribute="", group="", num_examples=20, metrics=(Metric(name="accuracy", value=accuracy),))
    return seal(replace(an_update(name, 5), measured=(told,)), KEY, name)


ENVELOPES = {place: an_envelope(f"p{place}", place / 10) for place in range(5)}


def a_manifest(terms: str = TERMS) -> ModelManifest:
    parts = [
        Contribution(
            participant=f"p{place}", update_id=f"p{place}-5", source_partition=0, source_offset=place,
            record_sha256=sha256(value).digest(), weight=10, selected=place != 3, effective_weight=10, round=5,
        )
        for place, value in ENVELOPES.items()
    ]  # fmt: skip
    return replace(manifest(5), contributions=tuple(parts), terms=terms)


def read(place: ChunkReference) -> bytes:
    return ENVELOPES[place.offset]


def test_all_updates_of_the_round_are_heard_also_those_that_the_rule_left_out() -> None:
    (found,) = participants_metrics(read, a_manifest())
    assert (found.version, found.participants, found.p50, found.p90) == (4, 5, 0.2, 0.4)
    assert participants_metrics(read, a_manifest("")) == ()
    assert participants_metrics(read, a_manifest('{"of":"tomorrow"}')) == ()


def test_what_is_gone_or_is_another_record_is_left_out() -> None:
    def partly(place: ChunkReference) -> bytes:
        if place.offset == 0:
            raise ChunkUnavailable("retention has it")
        return ENVELOPES[0] if place.offset == 1 else ENVELOPES[place.offset]

    (found,) = participants_metrics(partly, a_manifest())
    assert (found.participants, found.p10) == (3, 0.2)


def test_a_broker_that_is_away_is_tried_again() -> None:
    def away(place: ChunkReference) -> bytes:
        raise TimeoutError("nobody answers")

    with pytest.raises(TimeoutError):
        participants_metrics(away, a_manifest())


def a_task(**fields: object) -> Task:
    specification = TASK.model_copy(update=fields).model_dump_json()
    return Task(
        task="toy", specification=specification, layout=(), base_version=0, base_digest=b"", base_chunks=(),
        created_ms=1,
    )  # fmt: skip


def test_a_task_without_an_evaluation_set_lives_by_what_participants_tell(tmp_path: Path) -> None:
    measuring = Measuring(
        tmp_path, "cpu", lambda _: IDENTITY, participants=lambda found: participants_metrics(read, found)
    )
    release = measuring.release(a_task(evaluation=None), a_manifest())
    assert release is not None
    assert (release.metrics, release.reason, release.num_examples) == ((), "", 0)
    assert [told.mean for told in release.participants] == [pytest.approx(0.2)]
    assert decode(encode(release), Release) == release
    audit_event(release, 1)
    assert measuring.release(a_task(evaluation=None), replace(a_manifest(), contributions=())) is None


def test_what_participants_tell_stands_beside_a_set_that_is_missing(tmp_path: Path) -> None:
    measuring = Measuring(
        tmp_path, "cpu", lambda _: IDENTITY, participants=lambda found: participants_metrics(read, found)
    )
    release = measuring.release(a_task(), a_manifest())
    assert release is not None
    assert "there is no data at sets/toy.safetensors" in release.reason
    assert len(release.participants) == 1


def test_measurements_that_no_event_could_hold_are_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring = Measuring(tmp_path, "cpu", lambda _: IDENTITY)

    class Talkative:
        num_examples, device = 1, "cpu"

        def measure_with_groups(self, model: object) -> object:
            return Measured(metrics={f"recall.{number}": 0.5 for number in range(5000)})

    monkeypatch.setattr(measuring, "_evaluator", lambda task: Talkative())
    release = measuring.release(a_task(), replace(a_manifest(), terms=""))
    assert release is not None
    assert release.metrics == ()
    assert "more than an event of the audit log has" in release.reason
    assert len(audit_event(release, 1).data) <= MAX_DATA_BYTES
