"""Which of two records under one key of the registry is in force.

Whoever signs a record for a key counts `version` up from the one that it replaces, so that a copy of the former one,
genuinely signed, never comes back. Version 0 is the first of a key; federations older than the field wrote it again and
again, and then the time at which a record was made decides, and between equal ones the later in the log.
"""

from __future__ import annotations

from fluvial.registry.records import RegistryRecord
from fluvial.wire.records import Agreement, EnrolmentToken, Participant, Task


def order(record: RegistryRecord) -> tuple[int, int]:
    """Version, and the time in milliseconds at which the record was made, as far as it says."""
    match record:
        case Task():
            return record.version, record.created_ms
        case Agreement():
            return record.version, record.valid_from_ms
        case Participant():
            return record.version, record.enrolled_ms
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
