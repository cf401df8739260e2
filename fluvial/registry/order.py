"""Which of two records under one key of the registry is in force.

Whoever signs a record for a key counts `version` up from the one that it replaces, so that a copy of the former one,
genuinely signed, never comes back. Version 0 is the first of a key; federations older than the field wrote it again and
again, and then the time at which a record was made decides, and between equal ones the later in the log.

A revocation is signed without knowing what the registrar signs at the same moment: another key, for which the one that
is to be revoked vouches. So it leaves room for that before its own version, and of one version the revocation counts.
Else whoever has stolen a key could evade its revocation by changing it just then, again and again.
"""

from __future__ import annotations

from fluvial.registry.records import RegistryRecord
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, ParticipantStatus, Task

REVOCATION_STEP = 1 << 20
"""Versions that a revocation leaves to what is signed meanwhile: a thousand a second for a quarter of an hour."""

_LARGEST = (1 << 63) - 1


def order(record: RegistryRecord) -> tuple[int, int]:
    """Version, and the time in milliseconds at which the record was made, as far as it says; of a revocation that
    counts its version, after all others."""
    match record:
        case Task():
            return record.version, record.created_ms
        case Agreement():
            return record.version, record.valid_from_ms
        case Participant():
            is_numbered_end = record.status is ParticipantStatus.REVOKED and record.version > 0
            return record.version, _LARGEST if is_numbered_end else record.enrolled_ms
        case EnrolmentToken():
            return record.version, 0


def replaces(record: RegistryRecord, known: RegistryRecord | None) -> bool:
    """Whether the record takes the place of the one that is known under its key."""
    if known is None:
        return True
    if order(record) != order(known):
        return order(record) > order(known)
    return record.version == 0 and record != known


def next_version(known: RegistryRecord | None) -> int:
    """The version to sign for a record that is to replace the one that is known."""
    return 0 if known is None else known.version + 1


def revocation_version(known: Participant) -> int:
    """The version to sign for the revocation of a participant as it is known."""
    return min(known.version + REVOCATION_STEP, _LARGEST)
