"""What participants measured and the gate admitted, by the leaves of the audit log that a checkpoint has signed.

Anybody may write to a topic, and a participant may sign two measurements: which of them was admitted says the verdict.
Keys change, and a measurement is of the one that its participant had: the leaves hold them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from fluvial.identity.envelope import open_envelope, verify_envelope
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport, read_all
from fluvial.transparency.event import read_event
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import SignedLeaves
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, FluvialError, VerificationError
from fluvial.wire.framing import decode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Decision, Measurement, Participant, SequencedEvent, Verdict

_READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Vouched:
    """keys: public keys that each participant has had. accepted: SHA-256 of the measurements that were admitted."""

    keys: dict[str, set[bytes]]
    accepted: frozenset[bytes]

    def genuine(self, record: bytes, scope: str) -> Measurement | None:
        """The measurement, if the participant that it names has signed it; None for anything else."""
        try:
            envelope = open_envelope(record)
            report = decode(envelope.payload, Measurement)
        except FluvialError:
            return None
        if envelope.payload_type != media_type(Measurement, scope):
            return None
        keys = self.keys.get(report.measurer, set())
        return report if any(verify_envelope(envelope, key) for key in keys) else None


def read_vouched(transport: Transport, federation: Federation, known: Iterator[Participant]) -> Vouched:
    """known: the registry's participants, whose newest keys may be in no leaf yet. Raises TransportError, and
    VerificationError for a log that was forked."""
    keys: dict[str, set[bytes]] = defaultdict(set)
    for participant in known:
        keys[participant.participant].add(participant.public_key)
    accepted: set[bytes] = set()
    for leaf in _leaves(transport, federation):
        try:
            record = read_event(framing.decode(leaf, SequencedEvent).event)
        except (DecodeError, ValueError, VerificationError):
            continue  # of a newer release
        match record:
            case Participant():
                keys[record.participant].add(record.public_key)
            case Verdict(decision=Decision.ACCEPT) if record.source_topic == federation.topics.reports:
                accepted.add(record.record_sha256)
            case _:
                pass
    return Vouched(dict(keys), frozenset(accepted))


def _leaves(transport: Transport, federation: Federation) -> Iterator[bytes]:
    leaves = SignedLeaves(NoteKey.parse(federation.log_key))
    for message in read_all(transport, federation.topics.checkpoints, _READ_SECONDS):
        leaves.take_checkpoint(message.value or b"")
    for message in read_all(transport, federation.topics.audit, _READ_SECONDS):
        yield from leaves.take_record(message.offset, message.value or b"")
    yield from leaves.search()
