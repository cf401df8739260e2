"""The account of a task's training, from the log: leaves of the audit log, the updates' own claims, the registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from fluvial.edge.manifests import read_manifests
from fluvial.edge.registry import Registry
from fluvial.identity.envelope import open_envelope
from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_all
from fluvial.transparency.event import Recorded, read_event
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, FluvialError
from fluvial.wire.records import (
    Decision,
    DeviceProfile,
    ModelUpdate,
    Outcome,
    Participant,
    Receipt,
    RoundEvent,
    RoundTransition,
    SequencedEvent,
    Verdict,
)
from fluvial.wire.sampling import invited, round_seed
from fluvial.wire.task_file import TaskFile
from governance.training_account import Opened, TrainingAccount, account

_READ_SECONDS = 60.0


def read_account(transport: Transport, federation: Federation, task: str) -> TrainingAccount:
    """The account of one task. What the log vouches for is not verified again (`fluvial audit verify` does that).

    Raises FluvialError when there is no such task, TransportError.
    """
    topics = federation.topics
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        record = registry.task(task)
        participants = registry.participants()
    if record is None:
        raise FluvialError(f"there is no task {task}")
    terms = TaskFile.model_validate_json(record.specification)
    fraction = terms.sampling.invited_fraction
    agreement = terms.agreement.name if terms.agreement else ""
    members = [one for one in participants if not agreement or _has_signed(one, agreement)]
    digests = {
        manifest.version: manifest.model_digest
        for manifest in read_manifests(transport, federation)
        if manifest.task == task
    }
    opened: list[Opened] = []
    accepted: dict[tuple[int, int], bytes] = {}
    receipts: dict[tuple[str, int], Outcome] = {}
    for leaf, time_ms in _leaves(read_all(transport, topics.audit, _READ_SECONDS)):
        match leaf:
            case RoundEvent(transition=RoundTransition.OPENED) if leaf.task == task and leaf.base_version in digests:
                seed = round_seed(task, leaf.round, leaf.attempt, digests[leaf.base_version])
                there = (one.participant for one in members if one.enrolled_ms <= time_ms)
                names = frozenset(name for name in there if invited(name, seed, fraction))
                opened.append(Opened(round=leaf.round, attempt=leaf.attempt, invited=names))
            case Verdict(decision=Decision.ACCEPT) if leaf.task == task and leaf.source_topic == topics.updates:
                accepted[leaf.source_partition, leaf.source_offset] = leaf.record_sha256
            case Receipt() if leaf.task == task:
                receipts[leaf.participant, leaf.round] = leaf.outcome
            case _:
                pass
    updates = [
        update
        for message in read_all(transport, topics.updates, _READ_SECONDS)
        if (message.partition, message.offset) in accepted and (update := _update(message)) is not None
    ]
    took_part = {update.participant for update in updates} | {one.participant for one in members}
    groups = {one.participant: _kind(one.device) for one in participants if one.participant in took_part}
    return account(groups=groups, opened=opened, accepted=updates, receipts=receipts)


def _has_signed(participant: Participant, agreement: str) -> bool:
    """Whether it is, or was, of the task."""
    signed = {each.agreement for each in participant.agreements}
    return agreement in signed | {each.agreement for each in participant.withdrawn}


def _kind(device: DeviceProfile) -> str:
    """What a device says of itself, in a few words."""
    words = (device.platform, device.machine, device.accelerator, device.network)
    return " ".join(word for word in words if word) or "unknown"


def _leaves(messages: Iterator[Message]) -> Iterator[tuple[Recorded, int]]:
    """What each event tells of, and when it was."""
    for message in messages:
        try:
            event = framing.decode(message.value or b"", SequencedEvent).event
            yield read_event(event), event.time_ms
        except (DecodeError, ValueError):
            continue


def _update(message: Message) -> ModelUpdate | None:
    try:
        return framing.decode(open_envelope(message.value or b"").payload, ModelUpdate)
    except FluvialError:
        return None
