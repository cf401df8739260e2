"""Step 5, decode: the verified bytes become the one record type that is expected, or a fault.

Pinned schema, full consumption and re-encode equality are `fluvial.wire.framing`'s; here its errors become reasons, and
what the schema cannot say is checked: names, digests and counters have their form, so that whatever comes later may be
quoted in a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TypeVar

from fluvial.admission.case import Case
from fluvial.admission.claims import claims_too_many_chunks
from fluvial.admission.held_out import held_out_fits
from fluvial.admission.judgement import Fault
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, NonCanonical, SchemaUnknown
from fluvial.wire.media_types import is_of_kind, media_type
from fluvial.wire.names import is_name
from fluvial.wire.records import Envelope, ModelUpdate, Reason, TrainingReport
from fluvial.wire.version import Version

T = TypeVar("T")

DIGEST_BYTES = 32


def read_update(case: Case, schema_ids: Mapping[int, Version]) -> Fault | None:
    """Finds the update; OTHER_FEDERATION when it was signed for another one, SCHEMA_UNKNOWN, NON_CANONICAL or DECODE
    when the bytes are none, PARTICIPANT_MISMATCH when it is in another's name."""
    fault = find_update(case, schema_ids)
    if fault is not None:
        return fault
    signed_by_it = case.signed.participant == case.participant.participant
    return None if signed_by_it else Fault(reason=Reason.PARTICIPANT_MISMATCH)


def find_update(case: Case, schema_ids: Mapping[int, Version]) -> Fault | None:
    """The decoding alone."""
    is_update = case.envelope.payload_type == media_type(ModelUpdate, case.scope)
    if is_update and claims_too_many_chunks(case.envelope.payload):
        return Fault(reason=Reason.DECODE)
    update = read_payload(case.envelope, ModelUpdate, case.scope, schema_ids)
    if isinstance(update, Fault):
        return update
    if not _is_well_formed(update):
        return Fault(reason=Reason.DECODE)
    case.update = update
    return None


def read_payload(
    envelope: Envelope, expected: type[T], scope: str, schema_ids: Mapping[int, Version] | None = None
) -> T | Fault:
    """The record that an envelope of this kind, signed for the federation of this scope, holds, or the fault."""
    if envelope.payload_type != media_type(expected, scope):
        elsewhere = is_of_kind(envelope.payload_type, expected)
        return Fault(reason=Reason.OTHER_FEDERATION if elsewhere else Reason.SCHEMA_UNKNOWN)
    try:
        return framing.decode(envelope.payload, expected, confluent_ids=schema_ids or None)
    except SchemaUnknown:
        return Fault(reason=Reason.SCHEMA_UNKNOWN)
    except NonCanonical:
        return Fault(reason=Reason.NON_CANONICAL)
    except DecodeError:
        return Fault(reason=Reason.DECODE)


def _is_well_formed(update: ModelUpdate) -> bool:
    return (
        is_name(update.task)
        and is_name(update.participant)
        and is_name(update.update_id)
        and update.round >= 1
        and update.attempt >= 1
        and len(update.base_digest) == DIGEST_BYTES
        and len(update.layout_digest) == DIGEST_BYTES
        and len(update.trained) <= 1
        and all(_is_plausible(trained) for trained in update.trained)
        and held_out_fits(update.measured)
    )


def _is_plausible(trained: TrainingReport) -> bool:
    """Claims that nobody can check, of a form that may be added up and quoted."""
    amounts = trained.seconds, trained.processor_seconds, trained.joules
    return (
        is_name(trained.device_class)
        and is_name(trained.precision)
        and trained.epochs >= 1
        and trained.bytes_sent >= 0
        and all(isfinite(amount) and amount >= 0 for amount in amounts)
    )
