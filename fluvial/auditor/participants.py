"""The keys that participants have enrolled, from the topic `registry`."""

from collections.abc import Iterator

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.registry.records import open_registry_record
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Participant

CHECK = "registry"
_KEY_PREFIX = b"participant/"


def read_public_keys(
    records: Iterator[TopicRecord], registrar_key: bytes, operator_key: bytes, problems: Problems
) -> dict[str, set[bytes]]:
    """Public keys (32 bytes) by participant. Each record must be signed by who may sign it
    (`fluvial.registry.records`).

    The topic is compacted, hence forgets; the log's leaves have the keys that it forgot. Keys of revoked participants
    count: what was accepted before the revocation was signed with them.
    """
    keys: dict[str, set[bytes]] = {}
    for record in records:
        if record.value is None or not (record.key or b"").startswith(_KEY_PREFIX):
            continue
        key = (record.key or b"").decode(errors="replace")
        try:
            participant = open_registry_record(key, record.value, operator_key, registrar_key)
        except (DecodeError, VerificationError) as error:
            problems.add(
                CHECK, record, f"is no record of this participant signed by the registrar or the operator: {error}"
            )
            continue
        assert isinstance(participant, Participant)
        keys.setdefault(participant.participant, set()).add(participant.public_key)
    return keys
