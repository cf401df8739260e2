"""An honest federation verifies; whoever alters, drops, repeats or invents a record anywhere is found out."""

from dataclasses import replace

import pytest

from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.identity.envelope import open_envelope
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.wire.framing import decode, version_of
from fluvial.wire.records import Decision, Reason, Score, SequencedEvent
from governance.audit import sequencer
from tests.unit.fluvial.auditor import forgeries  # noqa: F401 (fills TAMPERINGS)
from tests.unit.fluvial.auditor.tamperings import TAMPERINGS, Tampering, leave_out_a_judgement, next_manifest
from tests.unit.fluvial.auditor.world import ORIGIN, World, honest_world


def audit(world: World, *, grace_ms: int = 0, known: bytes | None = None) -> Report:
    return verify(world, world.federation, grace_ms=grace_ms, known=known, now_ms=world.now_ms)


def messages(report: Report) -> str:
    return "\n".join(f"{problem.check} {problem.where} {problem.message}" for problem in report.problems)


def test_an_honest_federation_verifies() -> None:
    world = honest_world()
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.origin, report.size, report.signed_size, report.num_checkpoints) == (ORIGIN, 12, 12, 3)
    assert report.root == report.signed_root == world.signer_state.tree.root().hex()
    assert report.inputs[world.topics.updates].matched == report.verdicts.matched == 6
    assert report.models.matched == 3
    assert report.num_pending == 0
    assert report.to_dict()["verified"] is True


def test_a_log_that_holds_records_of_several_versions_verifies() -> None:
    """Leaves, verdicts and manifests that a former release wrote stand beside those that only today's can write."""
    world = honest_world()
    scores = (Score(name="canary_loss", value=0.25),)
    world.judge(world.update("anna", 9), "anna", 9, Decision.REJECT, scores=scores, reason=Reason.LOW_SCORE)
    manifest = replace(next_manifest(world), terms='{"participation":{"min_examples":2}}')
    world.publish_manifest(manifest, "aggregator", leaf=True)
    world.sequence()
    world.sign()
    leaves = [decode(record.value or b"", SequencedEvent) for record in world.kept[world.topics.audit]]
    manifests = [open_envelope(record.value or b"").payload for record in world.kept[world.topics.models]]
    versions = {str(version_of(data)) for data in [*(leaf.event.data for leaf in leaves), *manifests]}
    assert {"Verdict 1", "Verdict 2", "ModelManifest 1", "ModelManifest 2"} <= versions
    report = audit(world)
    assert report.verified, messages(report)
    assert report.verdicts.matched == 9
    assert report.models.matched == 4


def test_nothing_signed_is_nothing_verified() -> None:
    assert not audit(World()).verified
    world = honest_world()
    world.kept[world.topics.checkpoints].clear()
    report = audit(world)
    assert not report.verified
    assert not report.problems


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_tampering_is_found_and_named(tamper: Tampering) -> None:
    world = honest_world()
    expected = tamper(world)
    report = audit(world)
    assert not report.verified
    assert expected in messages(report)


def test_the_base_of_a_regions_sum_is_in_its_parents_log() -> None:
    world = honest_world()
    manifest = replace(next_manifest(world), partial=True, parent_version=7, parent_digest=bytes(32))
    world.publish_manifest(manifest, "aggregator", leaf=True)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)
    assert report.models.matched == 4


def test_rules_may_weigh_otherwise_and_asynchronous_rounds_take_what_lags_behind() -> None:
    world = honest_world()
    manifest = next_manifest(world)
    lagging, fresh = manifest.contributions
    terms = {"rule": '{"name":"geometric_median"}', "staleness": '{"name":"constant"}', "total_weight": 2**24}
    weighted = (replace(lagging, effective_weight=7), replace(fresh, effective_weight=0, selected=False))
    # The verdicts are for round 3, first attempt: the round that took the updates is a later one.
    later = replace(manifest, round=5, attempt=2, contributions=weighted, **terms)
    world.publish_manifest(later, "aggregator", leaf=True)
    world.sequence()
    world.sign()
    report = audit(world)
    assert report.verified, messages(report)


def test_records_newer_than_the_last_verdict_are_pending() -> None:
    world = honest_world()
    world.update("anna", 3)
    world.judge(world.update("ben", 3, partition=1), "ben", 3, leaf=False)
    report = audit(world)
    assert report.verified, messages(report)
    assert report.inputs[world.topics.updates].pending == 1
    assert report.verdicts.pending == 1
    assert report.num_pending == 2


def test_leaves_that_no_checkpoint_covers_are_pending() -> None:
    world = honest_world()
    world.judge(world.update("anna", 2), "anna", 2)
    world.sequence()
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.size, report.signed_size, report.num_pending) == (13, 12, 1)


def test_a_manifest_newer_than_the_last_leaf_is_pending() -> None:
    world = honest_world()
    world.publish_manifest(next_manifest(world), "aggregator", leaf=False)
    world.sequence()
    report = audit(world)
    assert report.verified, messages(report)
    assert report.models.pending == 1


def test_grace_lets_records_wait_though_newer_ones_are_judged() -> None:
    """Offsets of one partition:  judged … | waiting | judged. Stages answer out of order."""
    world = honest_world()
    leave_out_a_judgement(world)
    assert not audit(world).verified
    assert audit(world, grace_ms=60_000).verified
    assert not audit(world, grace_ms=1).verified


def test_what_retention_took_is_counted_as_expired() -> None:
    world = honest_world()
    updates, verdicts = world.kept[world.topics.updates], world.kept[world.topics.verdicts]
    lost = next(record for record in updates if record.partition == 0)
    updates.remove(lost)
    world.begin[world.topics.updates] = {0: lost.offset + 1, 1: 0}
    del verdicts[0]
    world.begin[world.topics.verdicts] = {0: 1}
    report = audit(world)
    assert report.verified, messages(report)
    assert report.inputs[world.topics.updates].expired == 1
    assert report.verdicts.expired == 1


def test_keys_that_the_compacted_registry_forgot_are_taken_from_the_log() -> None:
    world = honest_world()
    world.kept[world.topics.registry].clear()
    assert audit(world).verified


def test_a_known_checkpoint_must_be_in_the_log() -> None:
    world = honest_world()
    known = world.kept[world.topics.checkpoints][-1].value
    assert audit(world, known=known).verified
    rolled_back = honest_world()
    rolled_back.keys = world.keys
    report = audit(rolled_back, known=known)
    assert not report.verified


def test_a_log_that_was_rolled_back_is_refused() -> None:
    world = honest_world()
    known = world.kept[world.topics.checkpoints][-1].value
    del world.kept[world.topics.checkpoints][1:]
    report = audit(world, known=known)
    assert "rolled back from 12 signed leaves" in messages(report)


def test_problems_are_all_counted_but_not_all_kept() -> None:
    world = honest_world()
    for _ in range(300):
        world.judge(world.append(world.topics.updates, b"garbage", b"anna"), "anna", 2)
    world.sequence()
    report = audit(world)
    assert report.num_problems == 300
    assert len(report.problems) == 200


# What anybody can write who may write to the brokers: it breaks nothing, and is told.


def a_leaf(world: World, end: ChainEnd, **changes: object) -> bytes:
    event = decode(world.kept[world.topics.audit][4].value or b"", SequencedEvent).event
    return sequencer.append(end, replace(event, **changes))[1]  # type: ignore[arg-type]


def insert(world: World, topic: str, index: int, value: bytes) -> None:
    """Put a record between others, at an offset that a transaction left."""
    records = world.kept[topic]
    offset = records[index].offset - 1 if index < len(records) else records[-1].offset + 1
    records.insert(index, records[0]._replace(offset=offset, value=value))


@pytest.mark.parametrize("index", [0, 5, 11, 12])
def test_what_does_not_continue_the_log_is_no_leaf(index: int) -> None:
    world = honest_world()
    before = audit(world)
    values = [a_leaf(world, ChainEnd(99, bytes(32))), b"", b"garbage"]
    if index:
        values.insert(0, a_leaf(world, ChainEnd()))
    for value in values:
        insert(world, world.topics.audit, index, value)
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.root, report.signed_root) == (before.root, before.signed_root)
    assert report.num_skipped == len(values)
    assert report.skipped[0].message == f"leaf {index} is no SequencedEvent: no Avro single-object header"


def test_a_log_that_a_second_sequencer_began_anew_still_verifies() -> None:
    """Leaves:  0 … 11 | 0' 1' 2', of a job that had lost its state"""
    world = honest_world()
    end = ChainEnd()
    for number in range(3):
        end, leaf = sequencer.append(
            end, decode(a_leaf(world, end, id=f"verdict/again/0/{number}"), SequencedEvent).event
        )
        world.append(world.topics.audit, leaf)
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.size, report.num_skipped) == (12, 3)
    assert report.skipped[0].message == "leaf 12 bears the sequence number 0"


@pytest.mark.parametrize("index", [0, 3, 11])
def test_of_two_leaves_of_a_place_the_one_that_was_signed_counts(index: int) -> None:
    """Whoever writes a leaf that continues the chain before the sequencer does, changes nothing."""
    world = honest_world()
    honest = audit(world)
    records = world.kept[world.topics.audit]
    end = ChainEnd()
    for record in records[:index]:
        end = end.after(record.value or b"")
    for number in range(2):
        forged = a_leaf(world, end, id=f"verdict/forged/0/{number}")
        insert(world, world.topics.audit, index + number, forged)
        end = end.after(forged)
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.size, report.root) == (12, honest.root)
    assert report.num_skipped == 2
    assert "not of the chain that was signed" in report.skipped[0].message


def test_a_checkpoint_that_others_signed_is_skipped() -> None:
    world = honest_world()
    for key in ("mallory", "log"):
        note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=12, root=world.signer_state.tree.root()), world.key(key))
        world.append(world.topics.checkpoints, note)
    world.append(world.topics.checkpoints, b"junk")
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.num_checkpoints, report.num_skipped) == (4, 2)
    assert "note is not signed by a known key" in report.skipped[0].message


def test_an_old_checkpoint_that_comes_again_says_nothing_new() -> None:
    world = honest_world()
    checkpoints = world.kept[world.topics.checkpoints]
    checkpoints.append(checkpoints[0])
    report = audit(world)
    assert report.verified, messages(report)
    assert (report.signed_size, report.checkpoint) == (12, (checkpoints[-2].value or b"").decode())
