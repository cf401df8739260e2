"""Whose keys the federation enrolled, and from when to when: from the topic `registry` and the leaves of participants,
each believed for the signature of who may sign it alone.

The registry is compacted, hence forgets; the log does not. Two clocks say when a key was in force. The brokers' time of
the enrolment and of what ended it say when it may have been; when record or leaf stood in the log says when every stage
must have known. In between, either answer is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fluvial.auditor.log import Log, ParticipantLeaf
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.registry.order import order
from fluvial.registry.records import open_registry_record, registry_key
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Participant, ParticipantStatus

CHECK = "registry"
HEARD_MS = 60_000
"""After so long by the brokers' clock a stage has heard what stands in a topic that it follows."""
BACKLOG_MS = 86_400_000
"""So much later than the broker had it a record may be judged, after an outage."""

_KEY_PREFIX = b"participant/"


@dataclass(slots=True)
class KeyLife:
    """One key of a participant. enrolled_ms: broker time of the request. known_ms: since when the log or the registry
    shows it. ended_ms: broker time at which it was revoked, or another took its place; None while it is in force.
    agreements: that it has signed. withdrawn_ms: of what it signs no more, since when the log or the registry shows it.
    withdrawals: broker times of all withdrawals, of what it signed again too."""

    public_key: bytes
    enrolled_ms: int
    known_ms: int
    ended_ms: int | None = None
    agreements: set[str] = field(default_factory=set)
    withdrawn_ms: dict[str, int] = field(default_factory=dict)
    withdrawals: dict[str, set[int]] = field(default_factory=dict)

    def may_have_signed(self, at_ms: int) -> bool:
        """Whether an update that the broker had then may have been accepted for this key."""
        if at_ms < self.enrolled_ms - HEARD_MS:
            return False
        return self.ended_ms is None or at_ms <= self.ended_ms + HEARD_MS

    def may_have_agreed(self, agreement: str, at_ms: int, opened_ms: int) -> bool:
        """Whether an update that the broker had then may have been accepted under this agreement, for a round that was
        opened at `opened_ms`: before a withdrawal, or before every stage had heard of it."""
        if agreement not in self.agreements:
            return False
        if any(opened_ms < withdrawn_ms for withdrawn_ms in self.withdrawals.get(agreement, ())):
            return True
        return at_ms <= self.withdrawn_ms.get(agreement, at_ms) + HEARD_MS

    def had_withdrawn(self, agreement: str, opened_ms: int) -> bool:
        """Whether the agreement was withdrawn when a round was opened, or has been once before."""
        return any(withdrawn_ms <= opened_ms for withdrawn_ms in self.withdrawals.get(agreement, ()))

    def take_agreements(self, record: Participant, at_ms: int) -> None:
        """A newer record of the key."""
        names = {signed.agreement for signed in record.agreements}
        for gone in record.withdrawn:
            self.withdrawals.setdefault(gone.agreement, set()).add(gone.withdrawn_ms)
        for name in self.agreements - names:
            self.withdrawn_ms.setdefault(name, at_ms)
        for name in names:
            self.withdrawn_ms.pop(name, None)
        self.agreements |= names

    def was_in_force(self, at_ms: int) -> bool:
        """Whether an update that the broker had then cannot have been refused for this key."""
        if at_ms < self.known_ms + HEARD_MS:
            return False
        return self.ended_ms is None or at_ms + BACKLOG_MS < self.ended_ms


@dataclass(slots=True)
class Keys:
    """The keys of each participant, oldest first, and the requests that enrolled them."""

    lives: dict[str, list[KeyLife]] = field(default_factory=dict)
    requests: dict[bytes, bytes] = field(default_factory=dict)
    """Public key by the SHA-256 of the request that enrolled it."""
    revoked: set[str] = field(default_factory=set)
    """Participants of whom a revocation is known, or may have been forgotten."""
    requested_ms: dict[str, int] = field(default_factory=dict)
    """By participant, the latest time that an accepted request of it names."""

    def of(self, participant: str) -> Iterable[KeyLife]:
        return self.lives.get(participant, ())


@dataclass(frozen=True, slots=True)
class _Known:
    record: Participant
    at_ms: int


def read_keys(
    records: Iterator[TopicRecord],
    log: Log,
    registrar_key: bytes,
    operator_key: bytes,
    problems: Problems,
    skipped: Problems,
    scope: str = "",
) -> Keys:
    """All keys that the registrar or the operator enrolled.

    1. A record of the registry that neither of them signed is skipped: anybody may have written it. 2. A leaf holds the
    signed record; one that lacks the signature, as former releases wrote it, is believed if the registry has the same
    key, and is a forgery otherwise.
    """
    known: dict[str, list[_Known]] = {}
    for record in records:
        if record.value is None or not (record.key or b"").startswith(_KEY_PREFIX):
            continue
        key = (record.key or b"").decode(errors="replace")
        try:
            participant = _open(key, record.value, operator_key, registrar_key, scope)
        except (DecodeError, VerificationError) as error:
            skipped.add(CHECK, record, f"no participant signed by the registrar or the operator: {error}")
            continue
        known.setdefault(participant.participant, []).append(_Known(participant, record.timestamp_ms))
    proven = {(name, each.record.public_key) for name, found in known.items() for each in found}
    for told in log.participants:
        enrolled = told.leaf.record
        where = f"leaf {told.leaf.sequence}"
        why = _why_not(told, proven, operator_key, registrar_key, scope)
        if why:
            problems.add(CHECK, where, f"enrols a key of {enrolled.participant}: {why}")
            continue
        known.setdefault(enrolled.participant, []).append(_Known(enrolled, told.leaf.timestamp_ms))
    return _lives(known, problems)


def _why_not(
    told: ParticipantLeaf, proven: set[tuple[str, bytes]], operator_key: bytes, registrar_key: bytes, scope: str
) -> str:
    enrolled = told.leaf.record
    if not told.sealed:
        if (enrolled.participant, enrolled.public_key) in proven:
            return ""
        return "nobody signed it, and the registry has no such key"
    try:
        _open(registry_key(enrolled), told.sealed, operator_key, registrar_key, scope)
    except (DecodeError, VerificationError) as error:
        return str(error)
    return ""


def _open(key: str, sealed: bytes, operator_key: bytes, registrar_key: bytes, scope: str) -> Participant:
    record = open_registry_record(key, sealed, operator_key, registrar_key, scope)
    assert isinstance(record, Participant)
    return record


def _lives(known: dict[str, list[_Known]], problems: Problems) -> Keys:
    keys = Keys()
    for name, found in known.items():
        found.sort(key=lambda each: (*order(each.record), each.at_ms))
        lives = keys.lives.setdefault(name, [])
        for each in found:
            record = each.record
            keys.requests.setdefault(record.request_sha256, record.public_key)
            life = next((one for one in lives if one.public_key == record.public_key), None)
            if life is None:
                if lives and lives[-1].ended_ms is None:
                    lives[-1].ended_ms = record.enrolled_ms
                life = KeyLife(record.public_key, record.enrolled_ms, each.at_ms)
                lives.append(life)
            life.enrolled_ms = min(life.enrolled_ms, record.enrolled_ms)
            life.known_ms = min(life.known_ms, each.at_ms)
            life.take_agreements(record, each.at_ms)
            keys.requested_ms[name] = max(record.requested_ms, keys.requested_ms.get(name, 0))
            if record.status is ParticipantStatus.REVOKED:
                # Also a key that took its place while the revocation was signed.
                for ended in lives:
                    ended.ended_ms = min(ended.ended_ms or each.at_ms, each.at_ms)
                keys.revoked.add(name)
        _check_requests(name, found, problems)
        # Compaction took what a newer text replaced, and with it perhaps a revocation.
        versions = {each.record.version for each in found}
        if len(versions) <= max(versions) or (len(lives) > 1 and max(versions) == 0):
            keys.revoked.add(name)
    return keys


def _check_requests(name: str, found: list[_Known], problems: Problems) -> None:
    """Each record was made from a later request of its key than the one before: a copy of a former one, accepted again,
    would sign again what was withdrawn. found: in the order of versions."""
    newest: dict[bytes, Participant] = {}
    for each in found:
        record, before = each.record, newest.get(each.record.public_key)
        is_another = before is not None and before.request_sha256 != record.request_sha256
        if before is not None and is_another and 0 < record.requested_ms <= before.requested_ms:
            where = f"participant/{name}, version {record.version}"
            problems.add(CHECK, where, "was made from a request that is not later than that of the version before")
        newest[record.public_key] = record
