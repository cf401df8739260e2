"""Everything that a cluster, or who holds its keys, could do to a federation's topics. Each function does one thing to
an honest world and returns what the audit must say of it.
"""

from collections.abc import Callable
from dataclasses import replace

from fluvial.identity.envelope import seal, unseal
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, ModelManifest, ModelUpdate, SequencedEvent, Verdict
from governance.audit import sequencer
from tests.unit.fluvial.auditor.world import ORIGIN, World

Tampering = Callable[[World], str]

TAMPERINGS: list[Tampering] = []


def tampering(function: Tampering) -> Tampering:
    TAMPERINGS.append(function)
    return function


@tampering
def alter_leaf(world: World) -> str:
    leaf = decode(world.kept[world.topics.audit][3].value or b"", SequencedEvent)
    world.replace_value(world.topics.audit, 3, encode(replace(leaf, event=replace(leaf.event, time_ms=1))))
    return "leaf 4 does not name the leaf before it"


@tampering
def garble_leaf(world: World) -> str:
    world.replace_value(world.topics.audit, 3, b"\xc3\x01garbage")
    return "leaf 3 is no SequencedEvent"


@tampering
def drop_leaf(world: World) -> str:
    del world.kept[world.topics.audit][5]
    return "leaf 5 bears the sequence number 6"


@tampering
def drop_last_leaf(world: World) -> str:
    del world.kept[world.topics.audit][-1]
    return "12 leaves were signed, but the log holds 11"


@tampering
def swap_leaves(world: World) -> str:
    leaves = world.kept[world.topics.audit]
    leaves[4], leaves[5] = leaves[5], leaves[4]
    return "leaf 4 bears the sequence number 5"


@tampering
def rewrite_log(world: World) -> str:
    """A consistent other history, with its chain mended: only the signatures tell."""
    end = ChainEnd()
    for index, record in enumerate(world.kept[world.topics.audit]):
        event = decode(record.value or b"", SequencedEvent).event
        event = replace(event, time_ms=event.time_ms + 1) if index == 2 else event
        end, leaf = sequencer.append(end, event)
        world.replace_value(world.topics.audit, index, leaf)
    return "the signed root of 7 leaves is not that of the leaves"


@tampering
def repeat_event(world: World) -> str:
    leaf = decode(world.kept[world.topics.audit][4].value or b"", SequencedEvent)
    world.log_end, again = sequencer.append(world.log_end, leaf.event)
    world.append(world.topics.audit, again)
    return "leaf 12 repeats the event"


@tampering
def rename_event(world: World) -> str:
    leaf = decode(world.kept[world.topics.audit][4].value or b"", SequencedEvent)
    event = replace(leaf.event, id="verdict/elsewhere/0/0")
    world.log_end, again = sequencer.append(world.log_end, event)
    world.append(world.topics.audit, again)
    return "is called verdict/elsewhere/0/0, its data verdict/"


@tampering
def unknown_event(world: World) -> str:
    leaf = decode(world.kept[world.topics.audit][4].value or b"", SequencedEvent)
    event = replace(leaf.event, id="other", type="org.example.other")
    world.log_end, again = sequencer.append(world.log_end, event)
    world.append(world.topics.audit, again)
    return "unknown type of event 'org.example.other'"


@tampering
def split_view(world: World) -> str:
    checkpoint = Checkpoint(origin=ORIGIN, size=12, root=bytes(32))
    world.append(world.topics.checkpoints, sign_checkpoint(checkpoint, world.key("log")))
    return "the signed root of 12 leaves is not that of the leaves"


@tampering
def unauditable_checkpoint(world: World) -> str:
    root = world.signer_state.tree.root()
    checkpoint = Checkpoint(origin=ORIGIN, size=12, root=root, extensions=("trust me",))
    world.append(world.topics.checkpoints, sign_checkpoint(checkpoint, world.key("log")))
    return "lines that nobody can audit"


@tampering
def alter_input(world: World) -> str:
    world.replace_value(world.topics.updates, 0, b"another update")
    return "is not the record that its verdict judged"


@tampering
def drop_input(world: World) -> str:
    del world.kept[world.topics.updates][0]
    return "has a verdict, but is not in the topic"


@tampering
def shift_input_in_time(world: World) -> str:
    records = world.kept[world.topics.updates]
    records[0] = records[0]._replace(timestamp_ms=1)
    return "has broker time 1"


@tampering
def alter_verdict(world: World) -> str:
    verdict = decode(world.kept[world.topics.verdicts][0].value or b"", Verdict)
    world.replace_value(world.topics.verdicts, 0, encode(replace(verdict, decision=Decision.REJECT)))
    return "differs from leaf"


@tampering
def garble_verdict(world: World) -> str:
    world.replace_value(world.topics.verdicts, 0, b"")
    return "holds a verdict on fluvial.updates/0@0 that is not in the topic"


@tampering
def drop_verdict(world: World) -> str:
    del world.kept[world.topics.verdicts][1]
    return "that is not in the topic"


@tampering
def judge_what_has_no_verdicts(world: World) -> str:
    verdict = decode(world.kept[world.topics.verdicts][0].value or b"", Verdict)
    other = replace(verdict, source_topic="elsewhere")
    world.event(other)
    world.append(world.topics.verdicts, encode(other))
    world.sequence()
    return "judges a record of elsewhere"


@tampering
def leave_out_a_judgement(world: World) -> str:
    """An input and its verdict never were, yet later ones are."""
    for round_ in (3, 4):
        world.open_round(round_)
    world.update("anna", 3)
    world.judge(world.update("anna", 4), "anna", 4)
    world.sequence()
    return "has no verdict, though newer records have"


@tampering
def leave_out_a_leaf(world: World) -> str:
    for round_ in (3, 4):
        world.open_round(round_)
    world.judge(world.update("anna", 3), "anna", 3, leaf=False)
    world.judge(world.update("anna", 4), "anna", 4)
    world.sequence()
    return "has no leaf in the log, though newer verdicts have"


@tampering
def accept_a_forgery(world: World) -> str:
    forged = world.append(world.topics.updates, seal(update_of(world), world.key("mallory"), "anna"), b"anna")
    world.judge(forged, "anna", 1)
    world.sequence()
    return "was accepted, but is not signed by a key of anna"


@tampering
def accept_garbage(world: World) -> str:
    world.judge(world.append(world.topics.updates, b"garbage", b"anna"), "anna", 1)
    world.sequence()
    return "was accepted, but is no envelope of anna: ENVELOPE"


@tampering
def forge_manifest(world: World) -> str:
    world.publish_manifest(next_manifest(world), "mallory", leaf=True)
    world.sequence()
    return "the log holds version 3 of digits, whose manifest is not in the topic"


@tampering
def operator_publishes(world: World) -> str:
    world.publish_manifest(next_manifest(world), "operator", leaf=True)
    world.sequence()
    return "may not be signed by the operator"


@tampering
def publish_twice(world: World) -> str:
    aggregator = world.key("aggregator")
    manifest = unseal(world.kept[world.topics.models][1].value or b"", ModelManifest, aggregator.public_key)
    world.append(world.topics.models, seal(replace(manifest, created_ms=1), aggregator, "aggregator"))
    return "version 1 of digits is published a second time"


@tampering
def publish_other_chunks(world: World) -> str:
    manifest = next_manifest(world)
    chunk = replace(manifest.chunks[0], sha256=bytes(32))
    world.publish_manifest(replace(manifest, chunks=(chunk,)), "aggregator", leaf=True)
    world.sequence()
    return "its digest is not that of its chunks"


@tampering
def publish_without_parent(world: World) -> str:
    world.publish_manifest(replace(next_manifest(world), parent_digest=bytes(32)), "aggregator", leaf=True)
    world.sequence()
    return "its parent is not version 2 as published"


@tampering
def publish_unjudged_contribution(world: World) -> str:
    manifest = next_manifest(world)
    first, *rest = manifest.contributions
    world.publish_manifest(
        replace(manifest, contributions=(replace(first, source_offset=9), *rest)), "aggregator", leaf=True
    )
    world.sequence()
    return "was not accepted for this round"


@tampering
def publish_contribution_twice(world: World) -> str:
    manifest = next_manifest(world)
    twice = (manifest.contributions[0], *manifest.contributions)
    world.publish_manifest(replace(manifest, contributions=twice), "aggregator", leaf=True)
    world.sequence()
    return "one is listed twice"


@tampering
def publish_wrong_weight(world: World) -> str:
    world.publish_manifest(replace(next_manifest(world), total_weight=11), "aggregator", leaf=True)
    world.sequence()
    return "weights of its selected contributions do not add up"


@tampering
def publish_weight_of_what_was_left_out(world: World) -> str:
    manifest = next_manifest(world)
    first, *rest = manifest.contributions
    left_out = replace(first, selected=False)
    world.publish_manifest(
        replace(manifest, rule='{"name":"median"}', contributions=(left_out, *rest)), "aggregator", leaf=True
    )
    world.sequence()
    return "weights of its selected contributions do not add up"


@tampering
def publish_contribution_of_an_earlier_round(world: World) -> str:
    """In a synchronous task: its manifests say nothing of staleness."""
    manifest = next_manifest(world)
    world.publish_manifest(replace(manifest, round=4), "aggregator", leaf=True)
    world.sequence()
    return "was not accepted for this round"


@tampering
def drop_manifest(world: World) -> str:
    del world.kept[world.topics.models][2]
    return "the log holds version 2 of digits"


@tampering
def exchange_manifest(world: World) -> str:
    """The same manifest, sealed once more: the bytes differ from what the leaf names."""
    aggregator = world.key("aggregator")
    manifest = unseal(world.kept[world.topics.models][2].value or b"", ModelManifest, aggregator.public_key)
    world.replace_value(world.topics.models, 2, seal(replace(manifest, created_ms=1), aggregator, "aggregator"))
    return "differs from its leaf in the log"


def next_manifest(world: World) -> ModelManifest:
    """Version 3, correct and not yet published."""
    world.open_round(3)
    updates = {name: world.update(name, 3, partition=number) for number, name in enumerate(("anna", "ben"))}
    for name, record in updates.items():
        world.judge(record, name, 3)
    draft = World(keys=dict(world.keys))
    return draft.publish(3, updates)


def update_of(world: World) -> ModelUpdate:
    """The record of an update, to be sealed by another hand."""
    return unseal(world.kept[world.topics.updates][0].value or b"", ModelUpdate, world.key("anna").public_key)
