"""The keys that participants have enrolled, from the topic `registry`."""

from collections.abc import Iterator

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.identity.envelope import unseal
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Participant

CHECK = "registry"
_KEY_PREFIX = b"participant/"


def read_public_keys(
    records: Iterator[TopicRecord], registrar_key: bytes, operator_key: bytes, problems: Problems
) -> dict[str, set[bytes]]:
    """Public keys (32 bytes) by participant. Each record must be signed by the registrar, or by the operator who
    revokes.

    The topic is compacted, hence forgets; the log's leaves have the keys that it forgot. Keys of revoked participants
    count: what was accepted before the revocation was signed with them.
    """
    keys: dict[str, set[bytes]] = {}
    for record in records:
        if record.value is None or not (record.key or b"").startswith(_KEY_PREFIX):
            continue
        participant = _open(record.value, (registrar_key, operator_key))
        if participant is None or (record.key or b"") != _KEY_PREFIX + participant.participant.encode():
            problems.add(CHECK, record, "is no record of this participant signed by the registrar or the operator")
            continue
        keys.setdefault(participant.participant, set()).add(participant.public_key)
    return keys


def _open(data: bytes, signers: tuple[bytes, ...]) -> Participant | None:
    for signer in signers:
        try:
            return unseal(data, Participant, signer)
        except (DecodeError, VerificationError):
            continue
    return None
