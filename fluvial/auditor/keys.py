"""Whose keys the federation enrolled, and from when to when: from the topic `registry` and the leaves of participants,
each believed for the signature of who may sign it alone.

The registry is compacted, hence forgets; the log does not. What is known lies on the shelf; how long each key of a
participant was in force (`key_lives.py`) is made out when it is asked for.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fluvial.auditor.key_lives import KeyLife
from fluvial.auditor.leaves import ParticipantLeaf
from fluvial.auditor.log import Log
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Findings, Problems
from fluvial.auditor.shelf import Relation, Shelf
from fluvial.auditor.shelf import key as shelf_key
from fluvial.registry.order import order
from fluvial.registry.records import open_registry_record, registry_key
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Participant, ParticipantStatus

CHECK = "registry"

_KEY_PREFIX = b"participant/"
_PLACE = struct.Struct(">qq")
"""Number of the record among all, by which those of one version and time are told apart; broker time."""
_OWNERS_AT_HAND = 256


@dataclass(frozen=True, slots=True)
class _Known:
    record: Participant
    at_ms: int


@dataclass(frozen=True, slots=True)
class Owner:
    """A participant. lives: of its keys, oldest first. is_revoked: whether a revocation is known, or may have been
    forgotten. requested_ms: the latest time that an accepted request of it names; 0 for none."""

    lives: Sequence[KeyLife]
    is_revoked: bool
    requested_ms: int


_NOBODY = Owner((), False, 0)


class Keys:
    """The keys of each participant, and the requests that enrolled them."""

    def __init__(self, shelf: Shelf) -> None:
        self._known = Relation(shelf)
        self._proven = Relation(shelf)
        self._requests = Relation(shelf)
        self._num_taken = 0
        self._owners: OrderedDict[str, Owner] = OrderedDict()

    def of(self, participant: str) -> Sequence[KeyLife]:
        """Of its keys, oldest first."""
        return self.owner(participant).lives

    def owner(self, participant: str) -> Owner:
        """What is known of a participant."""
        owner = self._owners.get(participant)
        if owner is None:
            found = self._found(shelf_key(participant))
            owner = self._owners[participant] = _owner(found) if found else _NOBODY
            if len(self._owners) > _OWNERS_AT_HAND:
                self._owners.popitem(last=False)
        return owner

    def knows_request(self, request_sha256: bytes) -> bool:
        """Whether the request of this SHA-256 enrolled somebody."""
        return self._requests.count(request_sha256) > 0

    def enrolled(self, request_sha256: bytes, public_key: bytes) -> bool:
        """Whether that request enrolled this key."""
        return self._requests.has(request_sha256, public_key)

    def has(self, participant: str, public_key: bytes) -> bool:
        """Whether a record that was taken in so far enrols the key."""
        return self._proven.has(shelf_key(participant), public_key)

    def take(self, record: Participant, at_ms: int) -> None:
        """Registry or log had it then. Everything is taken in before anything else is asked."""
        name = shelf_key(record.participant)
        self._known.add(name, _PLACE.pack(self._num_taken, at_ms) + encode(record))
        self._num_taken += 1
        self._proven.add(name, record.public_key)

    def close(self, problems: Problems) -> None:
        """All are taken in."""
        for name in self._known.each_key():
            found = self._found(name)
            for each in found:
                self._requests.add(each.record.request_sha256, each.record.public_key)
            _check_requests(found, problems)

    def _found(self, name: bytes) -> list[_Known]:
        """In the order of versions."""
        values = self._known.values(name)
        found = [_Known(decode(each[_PLACE.size :], Participant), _PLACE.unpack_from(each)[1]) for each in values]
        return sorted(found, key=lambda each: (*order(each.record), each.at_ms))


def read_keys(
    records: Iterator[TopicRecord],
    log: Log,
    registrar_key: bytes,
    operator_key: bytes,
    findings: Findings,
    scope: str = "",
) -> Keys:
    """All keys that the registrar or the operator enrolled.

    1. A record of the registry that neither of them signed is skipped: anybody may have written it. 2. A leaf holds the
    signed record; one that lacks the signature, as former releases wrote it, is believed if the registry has the same
    key, and is a forgery otherwise.
    """
    keys = Keys(log.shelf)
    for record in records:
        if record.value is None or not (record.key or b"").startswith(_KEY_PREFIX):
            continue
        key = (record.key or b"").decode(errors="replace")
        try:
            participant = _open(key, record.value, operator_key, registrar_key, scope)
        except (DecodeError, VerificationError) as error:
            findings.skipped.add(CHECK, record, f"no participant signed by the registrar or the operator: {error}")
            continue
        keys.take(participant, record.timestamp_ms)
    for told in log.participants.each():
        enrolled = told.leaf.record
        where = f"leaf {told.leaf.sequence}"
        why = _why_not(told, keys, operator_key, registrar_key, scope)
        if why:
            findings.problems.add(CHECK, where, f"enrols a key of {enrolled.participant}: {why}")
            continue
        keys.take(enrolled, told.leaf.timestamp_ms)
    keys.close(findings.problems)
    return keys


def _why_not(told: ParticipantLeaf, keys: Keys, operator_key: bytes, registrar_key: bytes, scope: str) -> str:
    enrolled = told.leaf.record
    if not told.sealed:
        if keys.has(enrolled.participant, enrolled.public_key):
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


def _owner(found: Sequence[_Known]) -> Owner:
    """found: in the order of versions."""
    lives: list[KeyLife] = []
    requested_ms, is_revoked = 0, False
    for each in found:
        record = each.record
        life = next((one for one in lives if one.public_key == record.public_key), None)
        if life is None:
            if lives and lives[-1].ended_ms is None:
                lives[-1].ended_ms = record.enrolled_ms
            life = KeyLife(record.public_key, record.enrolled_ms, each.at_ms)
            lives.append(life)
        life.enrolled_ms = min(life.enrolled_ms, record.enrolled_ms)
        life.known_ms = min(life.known_ms, each.at_ms)
        life.take_agreements(record, each.at_ms)
        requested_ms = max(requested_ms, record.requested_ms)
        if record.status is ParticipantStatus.REVOKED:
            # Also a key that took its place while the revocation was signed.
            for ended in lives:
                ended.ended_ms = min(ended.ended_ms or each.at_ms, each.at_ms)
            is_revoked = True
    # Compaction took what a newer text replaced, and with it perhaps a revocation.
    versions = {each.record.version for each in found}
    is_revoked |= len(versions) <= max(versions) or (len(lives) > 1 and max(versions) == 0)
    return Owner(lives, is_revoked, requested_ms)


def _check_requests(found: Sequence[_Known], problems: Problems) -> None:
    """Each record was made from a later request of its key than the one before: a copy of a former one, accepted again,
    would sign again what was withdrawn. found: in the order of versions."""
    newest: dict[bytes, Participant] = {}
    for each in found:
        record, before = each.record, newest.get(each.record.public_key)
        is_another = before is not None and before.request_sha256 != record.request_sha256
        if before is not None and is_another and 0 < record.requested_ms <= before.requested_ms:
            where = f"participant/{record.participant}, version {record.version}"
            problems.add(CHECK, where, "was made from a request that is not later than that of the version before")
        newest[record.public_key] = record
