"""Manifests of published models, verified; the models themselves: `fluvial.edge.models`."""

from fluvial.identity.envelope import open_envelope, unseal, verify_envelope
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport, read_all
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.foreign_text import logger
from fluvial.wire.media_types import media_type
from fluvial.wire.records import ModelManifest

_log = logger(__name__)


def read_manifests(transport: Transport, federation: Federation, timeout: float = 30.0) -> list[ModelManifest]:
    """All published models' manifests, by task and version: version 0 signed by the operator, the others by the
    aggregator. What neither has signed is passed over, because who may write to the brokers may write it.

    Raises VerificationError for what one of them signed that cannot be: a manifest that the other would have to sign, a
    second one of the same version, bytes that are no manifest. A model list with a doubtful entry is not shown.
    """
    manifests: dict[tuple[str, int], ModelManifest] = {}
    num_skipped = 0
    for message in read_all(transport, federation.topics.models, timeout):
        manifest = _unseal_manifest(message.value or b"", federation)
        if manifest is None:
            num_skipped += 1
        elif manifests.setdefault((manifest.task, manifest.version), manifest) != manifest:
            raise VerificationError(f"version {manifest.version} of {manifest.task!r} was published twice")
    if num_skipped:
        _log.warning(
            "%d records of %s are not signed by the aggregator or the operator", num_skipped, federation.topics.models
        )
    return [manifests[place] for place in sorted(manifests)]


def _unseal_manifest(value: bytes, federation: Federation) -> ModelManifest | None:
    """None where neither the aggregator nor the operator signed it."""
    aggregator_key, operator_key = bytes.fromhex(federation.aggregator_key), bytes.fromhex(federation.operator_key)
    try:
        envelope = open_envelope(value)
    except DecodeError:
        return None
    if envelope.payload_type != media_type(ModelManifest, federation.topics.scope):
        # A round, too, is signed by the aggregator, and anybody can copy it here.
        return None
    by_aggregator = verify_envelope(envelope, aggregator_key)
    if not by_aggregator and not verify_envelope(envelope, operator_key):
        return None
    try:
        manifest = unseal(
            value, ModelManifest, aggregator_key if by_aggregator else operator_key, federation.topics.scope
        )
    except DecodeError as error:
        raise VerificationError(f"what is signed as a model cannot be read: {error}") from error
    if not by_aggregator and manifest.version != 0:
        raise VerificationError(f"version {manifest.version} of {manifest.task!r} is signed by the operator")
    return manifest
