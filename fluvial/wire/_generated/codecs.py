"""Avro bytes of the contract's records, written and read straight, for each version of each record.

Generated from schemas/*.avsc and schemas/versions by `python -m schemas.generate`; do not edit.

A reader takes the data and the place where the record begins, and gives the record and the place after it. It accepts
nothing but canonical bytes: else it raises Unusual, or one of `REFUSALS`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from fluvial.wire import records
from fluvial.wire.varint import NUM_SMALL, SMALL, Unusual, int_bytes, long_bytes, rest_of_zigzag

_DOUBLE = struct.Struct("<d")

REFUSALS = (Unusual, IndexError, ValueError, struct.error)
"""What readers raise."""

_HOLDER_STATE = tuple(records.HolderState)
_HOLDER_STATE_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.HolderState)}

_INFERENCE_STATUS = tuple(records.InferenceStatus)
_INFERENCE_STATUS_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.InferenceStatus)}

_LEASE_CAUSE = tuple(records.LeaseCause)
_LEASE_CAUSE_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.LeaseCause)}

_OPERATOR_STEP = tuple(records.OperatorStep)
_OPERATOR_STEP_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.OperatorStep)}

_PARTICIPANT_STATUS = tuple(records.ParticipantStatus)
_PARTICIPANT_STATUS_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.ParticipantStatus)}

_PROMOTION_DECISION = tuple(records.PromotionDecision)
_PROMOTION_DECISION_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.PromotionDecision)}

_OUTCOME = tuple(records.Outcome)
_OUTCOME_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.Outcome)}

_ROUND_STATUS_1 = tuple(records.RoundStatus)[:2]
_ROUND_STATUS_1_SYMBOLS = frozenset(_ROUND_STATUS_1)

_ROUND_STATUS_2 = tuple(records.RoundStatus)
_ROUND_STATUS_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.RoundStatus)}

_WINDOW_MODE = tuple(records.WindowMode)
_WINDOW_MODE_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.WindowMode)}

_ROUND_TRANSITION_1 = tuple(records.RoundTransition)[:4]
_ROUND_TRANSITION_1_SYMBOLS = frozenset(_ROUND_TRANSITION_1)

_ROUND_TRANSITION_2 = tuple(records.RoundTransition)
_ROUND_TRANSITION_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.RoundTransition)}

_TASK_STATUS = tuple(records.TaskStatus)
_TASK_STATUS_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.TaskStatus)}

_DECISION = tuple(records.Decision)
_DECISION_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.Decision)}

_REASON_1 = tuple(records.Reason)[:27]
_REASON_1_SYMBOLS = frozenset(_REASON_1)

_REASON_2 = tuple(records.Reason)
_REASON_BYTES = {one.value: long_bytes(place) for place, one in enumerate(records.Reason)}


def _write_chunk_reference(record: records.ChunkReference, out: list[bytes]) -> None:
    f_sha256 = record.sha256
    out += (
        SMALL[n] if 0 <= (n := record.partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.offset) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.length) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_sha256)) < NUM_SMALL else long_bytes(n),
        f_sha256,
    )


def _read_chunk_reference(data: bytes, at: int) -> tuple[records.ChunkReference, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_offset = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_length = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_length < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_sha256 = data[at:end]
    at = end
    record = records.ChunkReference(
        partition=f_partition,
        offset=f_offset,
        length=f_length,
        sha256=f_sha256,
    )
    return record, at


def _write_accepted_update(record: records.AcceptedUpdate, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_participant = record.participant.encode()
    f_update_id = record.update_id.encode()
    f_record_sha256 = record.record_sha256
    f_encoding = record.encoding.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        SMALL[n] if 0 <= (n := record.source_partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.source_offset) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.source_timestamp_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_record_sha256)) < NUM_SMALL else long_bytes(n),
        f_record_sha256,
        SMALL[n] if 0 <= (n := record.weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_encoding)) < NUM_SMALL else long_bytes(n),
        f_encoding,
    )
    if record.scales:
        out.append(long_bytes(len(record.scales)))
        for scales_item in record.scales:
            out.append(_DOUBLE.pack(scales_item))
    out.append(b"\0")
    value = record.inline
    if value is None:
        out.append(b"\0")
    else:
        out.append(b"\2")
        f_value = value
        out += (
            SMALL[n] if (n := len(f_value)) < NUM_SMALL else long_bytes(n),
            f_value,
        )
    if record.chunks:
        out.append(long_bytes(len(record.chunks)))
        for chunks_item in record.chunks:
            _write_chunk_reference(chunks_item, out)
    out.append(b"\0")


def _read_accepted_update(data: bytes, at: int) -> tuple[records.AcceptedUpdate, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_source_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_offset = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_timestamp_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_record_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_encoding = data[at:end].decode()
    at = end
    f_scales_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            (f_scales_item,) = _DOUBLE.unpack_from(data, at)
            if f_scales_item != f_scales_item:
                raise Unusual
            at += 8
            f_scales_items.append(f_scales_item)
        if data[at]:
            raise Unusual
        at += 1
    f_scales = tuple(f_scales_items)
    tag = data[at]
    at += 1
    if tag == 2:
        zigzag = data[at]
        at += 1
        if zigzag > 0x7F:
            zigzag, at = rest_of_zigzag(zigzag, data, at)
        if zigzag & 1:
            raise Unusual
        end = at + (zigzag >> 1)
        f_inline = data[at:end]
        at = end
    elif tag == 0:
        f_inline = None
    else:
        raise Unusual
    f_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_chunks_item, at = _read_chunk_reference(data, at)
            f_chunks_items.append(f_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_chunks = tuple(f_chunks_items)
    record = records.AcceptedUpdate(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        participant=f_participant,
        update_id=f_update_id,
        source_partition=f_source_partition,
        source_offset=f_source_offset,
        source_timestamp_ms=f_source_timestamp_ms,
        record_sha256=f_record_sha256,
        weight=f_weight,
        encoding=f_encoding,
        scales=f_scales,
        inline=f_inline,
        chunks=f_chunks,
    )
    return record, at


def _fits_agreement_1(record: records.Agreement) -> bool:
    return record.version == 0


def _write_agreement_1(record: records.Agreement, out: list[bytes]) -> None:
    f_agreement = record.agreement.encode()
    f_text = record.text.encode()
    out += (
        SMALL[n] if (n := len(f_agreement)) < NUM_SMALL else long_bytes(n),
        f_agreement,
        SMALL[n] if (n := len(f_text)) < NUM_SMALL else long_bytes(n),
        f_text,
        SMALL[n] if 0 <= (n := record.valid_from_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.valid_until_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_agreement_1(data: bytes, at: int) -> tuple[records.Agreement, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_agreement = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_text = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_valid_from_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_valid_until_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Agreement(
        agreement=f_agreement,
        text=f_text,
        valid_from_ms=f_valid_from_ms,
        valid_until_ms=f_valid_until_ms,
    )
    return record, at


def _write_agreement_2(record: records.Agreement, out: list[bytes]) -> None:
    f_agreement = record.agreement.encode()
    f_text = record.text.encode()
    out += (
        SMALL[n] if (n := len(f_agreement)) < NUM_SMALL else long_bytes(n),
        f_agreement,
        SMALL[n] if (n := len(f_text)) < NUM_SMALL else long_bytes(n),
        f_text,
        SMALL[n] if 0 <= (n := record.valid_from_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.valid_until_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
    )


def _read_agreement_2(data: bytes, at: int) -> tuple[records.Agreement, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_agreement = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_text = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_valid_from_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_valid_until_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Agreement(
        agreement=f_agreement,
        text=f_text,
        valid_from_ms=f_valid_from_ms,
        valid_until_ms=f_valid_until_ms,
        version=f_version,
    )
    return record, at


def _write_audit_event(record: records.AuditEvent, out: list[bytes]) -> None:
    f_id = record.id.encode()
    f_source = record.source.encode()
    f_type = record.type.encode()
    f_subject = record.subject.encode()
    f_data = record.data
    out += (
        SMALL[n] if (n := len(f_id)) < NUM_SMALL else long_bytes(n),
        f_id,
        SMALL[n] if (n := len(f_source)) < NUM_SMALL else long_bytes(n),
        f_source,
        SMALL[n] if (n := len(f_type)) < NUM_SMALL else long_bytes(n),
        f_type,
        SMALL[n] if (n := len(f_subject)) < NUM_SMALL else long_bytes(n),
        f_subject,
        SMALL[n] if 0 <= (n := record.time_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_data)) < NUM_SMALL else long_bytes(n),
        f_data,
    )


def _read_audit_event(data: bytes, at: int) -> tuple[records.AuditEvent, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_source = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_type = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_subject = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_time_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_data = data[at:end]
    at = end
    record = records.AuditEvent(
        id=f_id,
        source=f_source,
        type=f_type,
        subject=f_subject,
        time_ms=f_time_ms,
        data=f_data,
    )
    return record, at


def _write_signed_agreement(record: records.SignedAgreement, out: list[bytes]) -> None:
    f_agreement = record.agreement.encode()
    f_sha256 = record.sha256
    out += (
        SMALL[n] if (n := len(f_agreement)) < NUM_SMALL else long_bytes(n),
        f_agreement,
        SMALL[n] if (n := len(f_sha256)) < NUM_SMALL else long_bytes(n),
        f_sha256,
    )


def _read_signed_agreement(data: bytes, at: int) -> tuple[records.SignedAgreement, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_agreement = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_sha256 = data[at:end]
    at = end
    record = records.SignedAgreement(
        agreement=f_agreement,
        sha256=f_sha256,
    )
    return record, at


def _write_device_profile(record: records.DeviceProfile, out: list[bytes]) -> None:
    f_platform = record.platform.encode()
    f_machine = record.machine.encode()
    f_accelerator = record.accelerator.encode()
    f_network = record.network.encode()
    out += (
        SMALL[n] if (n := len(f_platform)) < NUM_SMALL else long_bytes(n),
        f_platform,
        SMALL[n] if (n := len(f_machine)) < NUM_SMALL else long_bytes(n),
        f_machine,
        SMALL[n] if 0 <= (n := record.memory_bytes) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_accelerator)) < NUM_SMALL else long_bytes(n),
        f_accelerator,
        SMALL[n] if (n := len(f_network)) < NUM_SMALL else long_bytes(n),
        f_network,
    )


def _read_device_profile(data: bytes, at: int) -> tuple[records.DeviceProfile, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_platform = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_machine = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_memory_bytes = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_accelerator = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_network = data[at:end].decode()
    at = end
    record = records.DeviceProfile(
        platform=f_platform,
        machine=f_machine,
        memory_bytes=f_memory_bytes,
        accelerator=f_accelerator,
        network=f_network,
    )
    return record, at


def _fits_enrolment_request_1(record: records.EnrolmentRequest) -> bool:
    return record.proof is None and record.withdrawn == ()


def _write_enrolment_request_1(record: records.EnrolmentRequest, out: list[bytes]) -> None:
    f_participant = record.participant.encode()
    f_public_key = record.public_key
    f_token = record.token.encode()
    out += (
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_public_key)) < NUM_SMALL else long_bytes(n),
        f_public_key,
        SMALL[n] if (n := len(f_token)) < NUM_SMALL else long_bytes(n),
        f_token,
    )
    if record.agreements:
        out.append(long_bytes(len(record.agreements)))
        for agreements_item in record.agreements:
            _write_signed_agreement(agreements_item, out)
    out.append(b"\0")
    _write_device_profile(record.device, out)
    out.append(SMALL[n] if 0 <= (n := record.requested_ms) < NUM_SMALL else long_bytes(n))


def _read_enrolment_request_1(data: bytes, at: int) -> tuple[records.EnrolmentRequest, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_public_key = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_token = data[at:end].decode()
    at = end
    f_agreements_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_agreements_item, at = _read_signed_agreement(data, at)
            f_agreements_items.append(f_agreements_item)
        if data[at]:
            raise Unusual
        at += 1
    f_agreements = tuple(f_agreements_items)
    f_device, at = _read_device_profile(data, at)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_requested_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.EnrolmentRequest(
        participant=f_participant,
        public_key=f_public_key,
        token=f_token,
        agreements=f_agreements,
        device=f_device,
        requested_ms=f_requested_ms,
    )
    return record, at


def _write_enrolment_request_2(record: records.EnrolmentRequest, out: list[bytes]) -> None:
    f_participant = record.participant.encode()
    f_public_key = record.public_key
    f_token = record.token.encode()
    out += (
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_public_key)) < NUM_SMALL else long_bytes(n),
        f_public_key,
        SMALL[n] if (n := len(f_token)) < NUM_SMALL else long_bytes(n),
        f_token,
    )
    if record.agreements:
        out.append(long_bytes(len(record.agreements)))
        for agreements_item in record.agreements:
            _write_signed_agreement(agreements_item, out)
    out.append(b"\0")
    _write_device_profile(record.device, out)
    out.append(SMALL[n] if 0 <= (n := record.requested_ms) < NUM_SMALL else long_bytes(n))
    value = record.proof
    if value is None:
        out.append(b"\0")
    else:
        out.append(b"\2")
        f_value = value
        out += (
            SMALL[n] if (n := len(f_value)) < NUM_SMALL else long_bytes(n),
            f_value,
        )
    if record.withdrawn:
        out.append(long_bytes(len(record.withdrawn)))
        for withdrawn_item in record.withdrawn:
            f_withdrawn_item = withdrawn_item.encode()
            out += (
                SMALL[n] if (n := len(f_withdrawn_item)) < NUM_SMALL else long_bytes(n),
                f_withdrawn_item,
            )
    out.append(b"\0")


def _read_enrolment_request_2(data: bytes, at: int) -> tuple[records.EnrolmentRequest, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_public_key = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_token = data[at:end].decode()
    at = end
    f_agreements_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_agreements_item, at = _read_signed_agreement(data, at)
            f_agreements_items.append(f_agreements_item)
        if data[at]:
            raise Unusual
        at += 1
    f_agreements = tuple(f_agreements_items)
    f_device, at = _read_device_profile(data, at)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_requested_ms = (zigzag >> 1) ^ -(zigzag & 1)
    tag = data[at]
    at += 1
    if tag == 2:
        zigzag = data[at]
        at += 1
        if zigzag > 0x7F:
            zigzag, at = rest_of_zigzag(zigzag, data, at)
        if zigzag & 1:
            raise Unusual
        end = at + (zigzag >> 1)
        f_proof = data[at:end]
        at = end
    elif tag == 0:
        f_proof = None
    else:
        raise Unusual
    f_withdrawn_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_withdrawn_item = data[at:end].decode()
            at = end
            f_withdrawn_items.append(f_withdrawn_item)
        if data[at]:
            raise Unusual
        at += 1
    f_withdrawn = tuple(f_withdrawn_items)
    record = records.EnrolmentRequest(
        participant=f_participant,
        public_key=f_public_key,
        token=f_token,
        agreements=f_agreements,
        device=f_device,
        requested_ms=f_requested_ms,
        proof=f_proof,
        withdrawn=f_withdrawn,
    )
    return record, at


def _fits_enrolment_token_1(record: records.EnrolmentToken) -> bool:
    return record.version == 0


def _write_enrolment_token_1(record: records.EnrolmentToken, out: list[bytes]) -> None:
    f_token_sha256 = record.token_sha256
    f_participant = record.participant.encode()
    out += (
        SMALL[n] if (n := len(f_token_sha256)) < NUM_SMALL else long_bytes(n),
        f_token_sha256,
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if 0 <= (n := record.expires_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_enrolment_token_1(data: bytes, at: int) -> tuple[records.EnrolmentToken, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_token_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_expires_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.EnrolmentToken(
        token_sha256=f_token_sha256,
        participant=f_participant,
        expires_ms=f_expires_ms,
    )
    return record, at


def _write_enrolment_token_2(record: records.EnrolmentToken, out: list[bytes]) -> None:
    f_token_sha256 = record.token_sha256
    f_participant = record.participant.encode()
    out += (
        SMALL[n] if (n := len(f_token_sha256)) < NUM_SMALL else long_bytes(n),
        f_token_sha256,
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if 0 <= (n := record.expires_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
    )


def _read_enrolment_token_2(data: bytes, at: int) -> tuple[records.EnrolmentToken, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_token_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_expires_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.EnrolmentToken(
        token_sha256=f_token_sha256,
        participant=f_participant,
        expires_ms=f_expires_ms,
        version=f_version,
    )
    return record, at


def _write_signature(record: records.Signature, out: list[bytes]) -> None:
    f_keyid = record.keyid.encode()
    f_signature = record.signature
    out += (
        SMALL[n] if (n := len(f_keyid)) < NUM_SMALL else long_bytes(n),
        f_keyid,
        SMALL[n] if (n := len(f_signature)) < NUM_SMALL else long_bytes(n),
        f_signature,
    )


def _read_signature(data: bytes, at: int) -> tuple[records.Signature, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_keyid = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_signature = data[at:end]
    at = end
    record = records.Signature(
        keyid=f_keyid,
        signature=f_signature,
    )
    return record, at


def _write_envelope(record: records.Envelope, out: list[bytes]) -> None:
    f_payload_type = record.payload_type.encode()
    f_payload = record.payload
    out += (
        SMALL[n] if (n := len(f_payload_type)) < NUM_SMALL else long_bytes(n),
        f_payload_type,
        SMALL[n] if (n := len(f_payload)) < NUM_SMALL else long_bytes(n),
        f_payload,
    )
    if record.signatures:
        out.append(long_bytes(len(record.signatures)))
        for signatures_item in record.signatures:
            _write_signature(signatures_item, out)
    out.append(b"\0")


def _read_envelope(data: bytes, at: int) -> tuple[records.Envelope, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_payload_type = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_payload = data[at:end]
    at = end
    f_signatures_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_signatures_item, at = _read_signature(data, at)
            f_signatures_items.append(f_signatures_item)
        if data[at]:
            raise Unusual
        at += 1
    f_signatures = tuple(f_signatures_items)
    record = records.Envelope(
        payload_type=f_payload_type,
        payload=f_payload,
        signatures=f_signatures,
    )
    return record, at


def _write_failure(record: records.Failure, out: list[bytes]) -> None:
    f_operator = record.operator.encode()
    f_submission = record.submission.encode()
    out += (
        SMALL[n] if (n := len(f_operator)) < NUM_SMALL else long_bytes(n),
        f_operator,
        SMALL[n] if (n := len(f_submission)) < NUM_SMALL else long_bytes(n),
        f_submission,
    )
    if record.items:
        out.append(long_bytes(len(record.items)))
        for items_item in record.items:
            f_items_item = items_item.encode()
            out += (
                SMALL[n] if (n := len(f_items_item)) < NUM_SMALL else long_bytes(n),
                f_items_item,
            )
    out.append(b"\0")
    f_error = record.error.encode()
    f_traceback = record.traceback.encode()
    out += (
        SMALL[n] if (n := len(f_error)) < NUM_SMALL else long_bytes(n),
        f_error,
        SMALL[n] if (n := len(f_traceback)) < NUM_SMALL else long_bytes(n),
        f_traceback,
        SMALL[n] if 0 <= (n := record.time_ms) < NUM_SMALL else long_bytes(n),
        b"\1" if record.set_aside else b"\0",
    )


def _read_failure(data: bytes, at: int) -> tuple[records.Failure, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_operator = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_submission = data[at:end].decode()
    at = end
    f_items_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_items_item = data[at:end].decode()
            at = end
            f_items_items.append(f_items_item)
        if data[at]:
            raise Unusual
        at += 1
    f_items = tuple(f_items_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_error = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_traceback = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_time_ms = (zigzag >> 1) ^ -(zigzag & 1)
    if data[at] > 1:
        raise Unusual
    f_set_aside = data[at] == 1
    at += 1
    record = records.Failure(
        operator=f_operator,
        submission=f_submission,
        items=f_items,
        error=f_error,
        traceback=f_traceback,
        time_ms=f_time_ms,
        set_aside=f_set_aside,
    )
    return record, at


def _write_fencing(record: records.Fencing, out: list[bytes]) -> None:
    out.append(SMALL[n] if 0 <= (n := record.epoch) < NUM_SMALL else long_bytes(n))


def _read_fencing(data: bytes, at: int) -> tuple[records.Fencing, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_epoch = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Fencing(
        epoch=f_epoch,
    )
    return record, at


def _write_heartbeat(record: records.Heartbeat, out: list[bytes]) -> None:
    f_job = record.job.encode()
    out += (
        SMALL[n] if 0 <= (n := record.epoch) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_job)) < NUM_SMALL else long_bytes(n),
        f_job,
        _HOLDER_STATE_BYTES[record.state.value],
    )


def _read_heartbeat(data: bytes, at: int) -> tuple[records.Heartbeat, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_epoch = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_job = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_state = _HOLDER_STATE[zigzag >> 1]
    record = records.Heartbeat(
        epoch=f_epoch,
        job=f_job,
        state=f_state,
    )
    return record, at


def _write_inference_request(record: records.InferenceRequest, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_request_id = record.request_id.encode()
    f_caller = record.caller.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if (n := len(f_request_id)) < NUM_SMALL else long_bytes(n),
        f_request_id,
        SMALL[n] if (n := len(f_caller)) < NUM_SMALL else long_bytes(n),
        f_caller,
        SMALL[n] if 0 <= (n := record.reply_partition) < NUM_SMALL else int_bytes(n),
    )
    if record.shape:
        out.append(long_bytes(len(record.shape)))
        for shape_item in record.shape:
            out.append(SMALL[n] if 0 <= (n := shape_item) < NUM_SMALL else long_bytes(n))
    out.append(b"\0")
    f_inputs = record.inputs
    f_datatype = record.datatype.encode()
    out += (
        SMALL[n] if (n := len(f_inputs)) < NUM_SMALL else long_bytes(n),
        f_inputs,
        SMALL[n] if 0 <= (n := record.deadline_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_datatype)) < NUM_SMALL else long_bytes(n),
        f_datatype,
        _DOUBLE.pack(record.divisor),
    )


def _read_inference_request(data: bytes, at: int) -> tuple[records.InferenceRequest, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_request_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_caller = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_reply_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_reply_partition < 1 << 31:
        raise Unusual
    f_shape_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            f_shape_item = (zigzag >> 1) ^ -(zigzag & 1)
            f_shape_items.append(f_shape_item)
        if data[at]:
            raise Unusual
        at += 1
    f_shape = tuple(f_shape_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_inputs = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_deadline_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_datatype = data[at:end].decode()
    at = end
    (f_divisor,) = _DOUBLE.unpack_from(data, at)
    if f_divisor != f_divisor:
        raise Unusual
    at += 8
    record = records.InferenceRequest(
        task=f_task,
        request_id=f_request_id,
        caller=f_caller,
        reply_partition=f_reply_partition,
        shape=f_shape,
        inputs=f_inputs,
        deadline_ms=f_deadline_ms,
        datatype=f_datatype,
        divisor=f_divisor,
    )
    return record, at


def _write_inference_answer(record: records.InferenceAnswer, out: list[bytes]) -> None:
    f_caller = record.caller.encode()
    f_request_id = record.request_id.encode()
    f_reason = record.reason.encode()
    out += (
        SMALL[n] if (n := len(f_caller)) < NUM_SMALL else long_bytes(n),
        f_caller,
        SMALL[n] if (n := len(f_request_id)) < NUM_SMALL else long_bytes(n),
        f_request_id,
        _INFERENCE_STATUS_BYTES[record.status.value],
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
    )
    if record.shape:
        out.append(long_bytes(len(record.shape)))
        for shape_item in record.shape:
            out.append(SMALL[n] if 0 <= (n := shape_item) < NUM_SMALL else long_bytes(n))
    out.append(b"\0")
    f_outputs = record.outputs
    out += (
        SMALL[n] if (n := len(f_outputs)) < NUM_SMALL else long_bytes(n),
        f_outputs,
    )


def _read_inference_answer(data: bytes, at: int) -> tuple[records.InferenceAnswer, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_caller = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_request_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_status = _INFERENCE_STATUS[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    f_shape_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            f_shape_item = (zigzag >> 1) ^ -(zigzag & 1)
            f_shape_items.append(f_shape_item)
        if data[at]:
            raise Unusual
        at += 1
    f_shape = tuple(f_shape_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_outputs = data[at:end]
    at = end
    record = records.InferenceAnswer(
        caller=f_caller,
        request_id=f_request_id,
        status=f_status,
        reason=f_reason,
        shape=f_shape,
        outputs=f_outputs,
    )
    return record, at


def _write_inference_results(record: records.InferenceResults, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_variant = record.variant.encode()
    f_artefact_sha256 = record.artefact_sha256
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.promotion) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_variant)) < NUM_SMALL else long_bytes(n),
        f_variant,
        SMALL[n] if (n := len(f_artefact_sha256)) < NUM_SMALL else long_bytes(n),
        f_artefact_sha256,
    )
    if record.answers:
        out.append(long_bytes(len(record.answers)))
        for answers_item in record.answers:
            _write_inference_answer(answers_item, out)
    out.append(b"\0")
    f_worker = record.worker.encode()
    out += (
        SMALL[n] if 0 <= (n := record.answered_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_worker)) < NUM_SMALL else long_bytes(n),
        f_worker,
    )


def _read_inference_results(data: bytes, at: int) -> tuple[records.InferenceResults, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_promotion = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_variant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_artefact_sha256 = data[at:end]
    at = end
    f_answers_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_answers_item, at = _read_inference_answer(data, at)
            f_answers_items.append(f_answers_item)
        if data[at]:
            raise Unusual
        at += 1
    f_answers = tuple(f_answers_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_answered_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_worker = data[at:end].decode()
    at = end
    record = records.InferenceResults(
        task=f_task,
        promotion=f_promotion,
        version=f_version,
        variant=f_variant,
        artefact_sha256=f_artefact_sha256,
        answers=f_answers,
        answered_ms=f_answered_ms,
        worker=f_worker,
    )
    return record, at


def _write_inference_summary(record: records.InferenceSummary, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_worker = record.worker.encode()
    f_variant = record.variant.encode()
    f_root = record.root
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if (n := len(f_worker)) < NUM_SMALL else long_bytes(n),
        f_worker,
        SMALL[n] if 0 <= (n := record.minute_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.promotion) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_variant)) < NUM_SMALL else long_bytes(n),
        f_variant,
        SMALL[n] if 0 <= (n := record.requests) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.examples) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.refused) < NUM_SMALL else long_bytes(n),
        _DOUBLE.pack(record.p50_us),
        _DOUBLE.pack(record.p95_us),
        _DOUBLE.pack(record.p99_us),
        SMALL[n] if (n := len(f_root)) < NUM_SMALL else long_bytes(n),
        f_root,
        SMALL[n] if 0 <= (n := record.results) < NUM_SMALL else long_bytes(n),
    )


def _read_inference_summary(data: bytes, at: int) -> tuple[records.InferenceSummary, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_worker = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_minute_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_promotion = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_variant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_requests = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_examples = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_refused = (zigzag >> 1) ^ -(zigzag & 1)
    (f_p50_us,) = _DOUBLE.unpack_from(data, at)
    if f_p50_us != f_p50_us:
        raise Unusual
    at += 8
    (f_p95_us,) = _DOUBLE.unpack_from(data, at)
    if f_p95_us != f_p95_us:
        raise Unusual
    at += 8
    (f_p99_us,) = _DOUBLE.unpack_from(data, at)
    if f_p99_us != f_p99_us:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_root = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_results = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.InferenceSummary(
        task=f_task,
        worker=f_worker,
        minute_ms=f_minute_ms,
        promotion=f_promotion,
        version=f_version,
        variant=f_variant,
        requests=f_requests,
        examples=f_examples,
        refused=f_refused,
        p50_us=f_p50_us,
        p95_us=f_p95_us,
        p99_us=f_p99_us,
        root=f_root,
        results=f_results,
    )
    return record, at


def _write_input_gap(record: records.InputGap, out: list[bytes]) -> None:
    f_topic = record.topic.encode()
    out += (
        SMALL[n] if (n := len(f_topic)) < NUM_SMALL else long_bytes(n),
        f_topic,
        SMALL[n] if 0 <= (n := record.partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.first) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.end) < NUM_SMALL else long_bytes(n),
    )


def _read_input_gap(data: bytes, at: int) -> tuple[records.InputGap, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_topic = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_first = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_end = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.InputGap(
        topic=f_topic,
        partition=f_partition,
        first=f_first,
        end=f_end,
    )
    return record, at


def _write_lease(record: records.Lease, out: list[bytes]) -> None:
    out.append(SMALL[n] if 0 <= (n := record.epoch) < NUM_SMALL else long_bytes(n))
    if record.stages:
        out.append(long_bytes(len(record.stages)))
        for stages_item in record.stages:
            f_stages_item = stages_item.encode()
            out += (
                SMALL[n] if (n := len(f_stages_item)) < NUM_SMALL else long_bytes(n),
                f_stages_item,
            )
    out.append(b"\0")
    f_job = record.job.encode()
    f_host = record.host.encode()
    out += (
        SMALL[n] if (n := len(f_job)) < NUM_SMALL else long_bytes(n),
        f_job,
        SMALL[n] if (n := len(f_host)) < NUM_SMALL else long_bytes(n),
        f_host,
        SMALL[n] if 0 <= (n := record.pid) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.process_started_ms) < NUM_SMALL else long_bytes(n),
        _LEASE_CAUSE_BYTES[record.cause.value],
        SMALL[n] if 0 <= (n := record.taken_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_lease(data: bytes, at: int) -> tuple[records.Lease, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_epoch = (zigzag >> 1) ^ -(zigzag & 1)
    f_stages_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_stages_item = data[at:end].decode()
            at = end
            f_stages_items.append(f_stages_item)
        if data[at]:
            raise Unusual
        at += 1
    f_stages = tuple(f_stages_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_job = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_host = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_pid = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_process_started_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_cause = _LEASE_CAUSE[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_taken_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Lease(
        epoch=f_epoch,
        stages=f_stages,
        job=f_job,
        host=f_host,
        pid=f_pid,
        process_started_ms=f_process_started_ms,
        cause=f_cause,
        taken_ms=f_taken_ms,
    )
    return record, at


def _write_group_counts(record: records.GroupCounts, out: list[bytes]) -> None:
    f_metric = record.metric.encode()
    f_group = record.group.encode()
    out += (
        SMALL[n] if (n := len(f_metric)) < NUM_SMALL else long_bytes(n),
        f_metric,
        SMALL[n] if (n := len(f_group)) < NUM_SMALL else long_bytes(n),
        f_group,
        SMALL[n] if 0 <= (n := record.both) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.harmed) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.helped) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.neither) < NUM_SMALL else long_bytes(n),
    )


def _read_group_counts(data: bytes, at: int) -> tuple[records.GroupCounts, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_metric = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_group = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_both = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_harmed = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_helped = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_neither = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.GroupCounts(
        metric=f_metric,
        group=f_group,
        both=f_both,
        harmed=f_harmed,
        helped=f_helped,
        neither=f_neither,
    )
    return record, at


def _write_metric_drop(record: records.MetricDrop, out: list[bytes]) -> None:
    f_metric = record.metric.encode()
    f_group = record.group.encode()
    out += (
        SMALL[n] if (n := len(f_metric)) < NUM_SMALL else long_bytes(n),
        f_metric,
        SMALL[n] if (n := len(f_group)) < NUM_SMALL else long_bytes(n),
        f_group,
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
        _DOUBLE.pack(record.value),
        _DOUBLE.pack(record.drop),
        _DOUBLE.pack(record.bound),
        _DOUBLE.pack(record.p_value),
    )


def _read_metric_drop(data: bytes, at: int) -> tuple[records.MetricDrop, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_metric = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_group = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    (f_value,) = _DOUBLE.unpack_from(data, at)
    if f_value != f_value:
        raise Unusual
    at += 8
    (f_drop,) = _DOUBLE.unpack_from(data, at)
    if f_drop != f_drop:
        raise Unusual
    at += 8
    (f_bound,) = _DOUBLE.unpack_from(data, at)
    if f_bound != f_bound:
        raise Unusual
    at += 8
    (f_p_value,) = _DOUBLE.unpack_from(data, at)
    if f_p_value != f_p_value:
        raise Unusual
    at += 8
    record = records.MetricDrop(
        metric=f_metric,
        group=f_group,
        num_examples=f_num_examples,
        value=f_value,
        drop=f_drop,
        bound=f_bound,
        p_value=f_p_value,
    )
    return record, at


def _write_measurement(record: records.Measurement, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_variant = record.variant.encode()
    f_artefact_sha256 = record.artefact_sha256
    f_measurer = record.measurer.encode()
    f_data = record.data.encode()
    f_data_sha256 = record.data_sha256
    f_runtime = record.runtime.encode()
    f_processor = record.processor.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_variant)) < NUM_SMALL else long_bytes(n),
        f_variant,
        SMALL[n] if (n := len(f_artefact_sha256)) < NUM_SMALL else long_bytes(n),
        f_artefact_sha256,
        SMALL[n] if (n := len(f_measurer)) < NUM_SMALL else long_bytes(n),
        f_measurer,
        SMALL[n] if (n := len(f_data)) < NUM_SMALL else long_bytes(n),
        f_data,
        SMALL[n] if (n := len(f_data_sha256)) < NUM_SMALL else long_bytes(n),
        f_data_sha256,
        SMALL[n] if (n := len(f_runtime)) < NUM_SMALL else long_bytes(n),
        f_runtime,
        SMALL[n] if (n := len(f_processor)) < NUM_SMALL else long_bytes(n),
        f_processor,
        SMALL[n] if 0 <= (n := record.threads) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
    )
    if record.counts:
        out.append(long_bytes(len(record.counts)))
        for counts_item in record.counts:
            _write_group_counts(counts_item, out)
    out.append(b"\0")
    if record.drops:
        out.append(long_bytes(len(record.drops)))
        for drops_item in record.drops:
            _write_metric_drop(drops_item, out)
    out.append(b"\0")
    out += (
        _DOUBLE.pack(record.latency_p50_us),
        _DOUBLE.pack(record.latency_p95_us),
        _DOUBLE.pack(record.latency_p99_us),
        SMALL[n] if 0 <= (n := record.calls) < NUM_SMALL else long_bytes(n),
        _DOUBLE.pack(record.throughput),
        SMALL[n] if 0 <= (n := record.batch) < NUM_SMALL else int_bytes(n),
        _DOUBLE.pack(record.processor_us),
        SMALL[n] if 0 <= (n := record.peak_memory_bytes) < NUM_SMALL else long_bytes(n),
        _DOUBLE.pack(record.joules),
        SMALL[n] if 0 <= (n := record.measured_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_measurement(data: bytes, at: int) -> tuple[records.Measurement, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_variant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_artefact_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_measurer = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_data = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_data_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_runtime = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_processor = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_threads = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_threads < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    f_counts_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_counts_item, at = _read_group_counts(data, at)
            f_counts_items.append(f_counts_item)
        if data[at]:
            raise Unusual
        at += 1
    f_counts = tuple(f_counts_items)
    f_drops_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_drops_item, at = _read_metric_drop(data, at)
            f_drops_items.append(f_drops_item)
        if data[at]:
            raise Unusual
        at += 1
    f_drops = tuple(f_drops_items)
    (f_latency_p50_us,) = _DOUBLE.unpack_from(data, at)
    if f_latency_p50_us != f_latency_p50_us:
        raise Unusual
    at += 8
    (f_latency_p95_us,) = _DOUBLE.unpack_from(data, at)
    if f_latency_p95_us != f_latency_p95_us:
        raise Unusual
    at += 8
    (f_latency_p99_us,) = _DOUBLE.unpack_from(data, at)
    if f_latency_p99_us != f_latency_p99_us:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_calls = (zigzag >> 1) ^ -(zigzag & 1)
    (f_throughput,) = _DOUBLE.unpack_from(data, at)
    if f_throughput != f_throughput:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_batch = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_batch < 1 << 31:
        raise Unusual
    (f_processor_us,) = _DOUBLE.unpack_from(data, at)
    if f_processor_us != f_processor_us:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_peak_memory_bytes = (zigzag >> 1) ^ -(zigzag & 1)
    (f_joules,) = _DOUBLE.unpack_from(data, at)
    if f_joules != f_joules:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_measured_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Measurement(
        task=f_task,
        version=f_version,
        variant=f_variant,
        artefact_sha256=f_artefact_sha256,
        measurer=f_measurer,
        data=f_data,
        data_sha256=f_data_sha256,
        runtime=f_runtime,
        processor=f_processor,
        threads=f_threads,
        num_examples=f_num_examples,
        counts=f_counts,
        drops=f_drops,
        latency_p50_us=f_latency_p50_us,
        latency_p95_us=f_latency_p95_us,
        latency_p99_us=f_latency_p99_us,
        calls=f_calls,
        throughput=f_throughput,
        batch=f_batch,
        processor_us=f_processor_us,
        peak_memory_bytes=f_peak_memory_bytes,
        joules=f_joules,
        measured_ms=f_measured_ms,
    )
    return record, at


def _fits_tensor_layout_1(record: records.TensorLayout) -> bool:
    return record.dtype == "float32"


def _write_tensor_layout_1(record: records.TensorLayout, out: list[bytes]) -> None:
    f_name = record.name.encode()
    out += (
        SMALL[n] if (n := len(f_name)) < NUM_SMALL else long_bytes(n),
        f_name,
    )
    if record.shape:
        out.append(long_bytes(len(record.shape)))
        for shape_item in record.shape:
            out.append(SMALL[n] if 0 <= (n := shape_item) < NUM_SMALL else long_bytes(n))
    out.append(b"\0")


def _read_tensor_layout_1(data: bytes, at: int) -> tuple[records.TensorLayout, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_name = data[at:end].decode()
    at = end
    f_shape_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            f_shape_item = (zigzag >> 1) ^ -(zigzag & 1)
            f_shape_items.append(f_shape_item)
        if data[at]:
            raise Unusual
        at += 1
    f_shape = tuple(f_shape_items)
    record = records.TensorLayout(
        name=f_name,
        shape=f_shape,
    )
    return record, at


def _write_tensor_layout_2(record: records.TensorLayout, out: list[bytes]) -> None:
    f_name = record.name.encode()
    out += (
        SMALL[n] if (n := len(f_name)) < NUM_SMALL else long_bytes(n),
        f_name,
    )
    if record.shape:
        out.append(long_bytes(len(record.shape)))
        for shape_item in record.shape:
            out.append(SMALL[n] if 0 <= (n := shape_item) < NUM_SMALL else long_bytes(n))
    out.append(b"\0")
    f_dtype = record.dtype.encode()
    out += (
        SMALL[n] if (n := len(f_dtype)) < NUM_SMALL else long_bytes(n),
        f_dtype,
    )


def _read_tensor_layout_2(data: bytes, at: int) -> tuple[records.TensorLayout, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_name = data[at:end].decode()
    at = end
    f_shape_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            f_shape_item = (zigzag >> 1) ^ -(zigzag & 1)
            f_shape_items.append(f_shape_item)
        if data[at]:
            raise Unusual
        at += 1
    f_shape = tuple(f_shape_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_dtype = data[at:end].decode()
    at = end
    record = records.TensorLayout(
        name=f_name,
        shape=f_shape,
        dtype=f_dtype,
    )
    return record, at


def _write_contribution(record: records.Contribution, out: list[bytes]) -> None:
    f_participant = record.participant.encode()
    f_update_id = record.update_id.encode()
    f_record_sha256 = record.record_sha256
    out += (
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        SMALL[n] if 0 <= (n := record.source_partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.source_offset) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_record_sha256)) < NUM_SMALL else long_bytes(n),
        f_record_sha256,
        SMALL[n] if 0 <= (n := record.weight) < NUM_SMALL else long_bytes(n),
        b"\1" if record.selected else b"\0",
        SMALL[n] if 0 <= (n := record.effective_weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
    )


def _read_contribution(data: bytes, at: int) -> tuple[records.Contribution, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_source_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_offset = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_record_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_weight = (zigzag >> 1) ^ -(zigzag & 1)
    if data[at] > 1:
        raise Unusual
    f_selected = data[at] == 1
    at += 1
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_effective_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Contribution(
        participant=f_participant,
        update_id=f_update_id,
        source_partition=f_source_partition,
        source_offset=f_source_offset,
        record_sha256=f_record_sha256,
        weight=f_weight,
        selected=f_selected,
        effective_weight=f_effective_weight,
        round=f_round,
    )
    return record, at


def _fits_model_manifest_1(record: records.ModelManifest) -> bool:
    return all(_fits_tensor_layout_1(item) for item in record.layout) and record.terms == ""


def _write_model_manifest_1(record: records.ModelManifest, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_parent_digest = record.parent_digest
    f_rule = record.rule.encode()
    f_server_optimizer = record.server_optimizer.encode()
    f_staleness = record.staleness.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.parent_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_parent_digest)) < NUM_SMALL else long_bytes(n),
        f_parent_digest,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_rule)) < NUM_SMALL else long_bytes(n),
        f_rule,
        SMALL[n] if (n := len(f_server_optimizer)) < NUM_SMALL else long_bytes(n),
        f_server_optimizer,
        SMALL[n] if (n := len(f_staleness)) < NUM_SMALL else long_bytes(n),
        f_staleness,
        SMALL[n] if 0 <= (n := record.fraction_bits) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.total_weight) < NUM_SMALL else long_bytes(n),
    )
    if record.layout:
        out.append(long_bytes(len(record.layout)))
        for layout_item in record.layout:
            _write_tensor_layout_1(layout_item, out)
    out.append(b"\0")
    out += (
        SMALL[n] if 0 <= (n := record.num_elements) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.chunk_elements) < NUM_SMALL else int_bytes(n),
    )
    if record.chunks:
        out.append(long_bytes(len(record.chunks)))
        for chunks_item in record.chunks:
            _write_chunk_reference(chunks_item, out)
    out.append(b"\0")
    if record.optimizer_chunks:
        out.append(long_bytes(len(record.optimizer_chunks)))
        for optimizer_chunks_item in record.optimizer_chunks:
            _write_chunk_reference(optimizer_chunks_item, out)
    out.append(b"\0")
    f_model_digest = record.model_digest
    out += (
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
    )
    if record.contributions:
        out.append(long_bytes(len(record.contributions)))
        for contributions_item in record.contributions:
            _write_contribution(contributions_item, out)
    out.append(b"\0")
    out += (
        b"\1" if record.partial else b"\0",
        SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_model_manifest_1(data: bytes, at: int) -> tuple[records.ModelManifest, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_parent_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_parent_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_rule = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_server_optimizer = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_staleness = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_fraction_bits = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_fraction_bits < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_total_weight = (zigzag >> 1) ^ -(zigzag & 1)
    f_layout_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_layout_item, at = _read_tensor_layout_1(data, at)
            f_layout_items.append(f_layout_item)
        if data[at]:
            raise Unusual
        at += 1
    f_layout = tuple(f_layout_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_elements = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_chunk_elements = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_chunk_elements < 1 << 31:
        raise Unusual
    f_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_chunks_item, at = _read_chunk_reference(data, at)
            f_chunks_items.append(f_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_chunks = tuple(f_chunks_items)
    f_optimizer_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_optimizer_chunks_item, at = _read_chunk_reference(data, at)
            f_optimizer_chunks_items.append(f_optimizer_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_optimizer_chunks = tuple(f_optimizer_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    f_contributions_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_contributions_item, at = _read_contribution(data, at)
            f_contributions_items.append(f_contributions_item)
        if data[at]:
            raise Unusual
        at += 1
    f_contributions = tuple(f_contributions_items)
    if data[at] > 1:
        raise Unusual
    f_partial = data[at] == 1
    at += 1
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.ModelManifest(
        task=f_task,
        version=f_version,
        parent_version=f_parent_version,
        parent_digest=f_parent_digest,
        round=f_round,
        attempt=f_attempt,
        rule=f_rule,
        server_optimizer=f_server_optimizer,
        staleness=f_staleness,
        fraction_bits=f_fraction_bits,
        total_weight=f_total_weight,
        layout=f_layout,
        num_elements=f_num_elements,
        chunk_elements=f_chunk_elements,
        chunks=f_chunks,
        optimizer_chunks=f_optimizer_chunks,
        model_digest=f_model_digest,
        contributions=f_contributions,
        partial=f_partial,
        created_ms=f_created_ms,
    )
    return record, at


def _write_model_manifest_2(record: records.ModelManifest, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_parent_digest = record.parent_digest
    f_rule = record.rule.encode()
    f_server_optimizer = record.server_optimizer.encode()
    f_staleness = record.staleness.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.parent_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_parent_digest)) < NUM_SMALL else long_bytes(n),
        f_parent_digest,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_rule)) < NUM_SMALL else long_bytes(n),
        f_rule,
        SMALL[n] if (n := len(f_server_optimizer)) < NUM_SMALL else long_bytes(n),
        f_server_optimizer,
        SMALL[n] if (n := len(f_staleness)) < NUM_SMALL else long_bytes(n),
        f_staleness,
        SMALL[n] if 0 <= (n := record.fraction_bits) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.total_weight) < NUM_SMALL else long_bytes(n),
    )
    if record.layout:
        out.append(long_bytes(len(record.layout)))
        for layout_item in record.layout:
            _write_tensor_layout_2(layout_item, out)
    out.append(b"\0")
    out += (
        SMALL[n] if 0 <= (n := record.num_elements) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.chunk_elements) < NUM_SMALL else int_bytes(n),
    )
    if record.chunks:
        out.append(long_bytes(len(record.chunks)))
        for chunks_item in record.chunks:
            _write_chunk_reference(chunks_item, out)
    out.append(b"\0")
    if record.optimizer_chunks:
        out.append(long_bytes(len(record.optimizer_chunks)))
        for optimizer_chunks_item in record.optimizer_chunks:
            _write_chunk_reference(optimizer_chunks_item, out)
    out.append(b"\0")
    f_model_digest = record.model_digest
    out += (
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
    )
    if record.contributions:
        out.append(long_bytes(len(record.contributions)))
        for contributions_item in record.contributions:
            _write_contribution(contributions_item, out)
    out.append(b"\0")
    f_terms = record.terms.encode()
    out += (
        b"\1" if record.partial else b"\0",
        SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_terms)) < NUM_SMALL else long_bytes(n),
        f_terms,
    )


def _read_model_manifest_2(data: bytes, at: int) -> tuple[records.ModelManifest, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_parent_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_parent_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_rule = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_server_optimizer = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_staleness = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_fraction_bits = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_fraction_bits < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_total_weight = (zigzag >> 1) ^ -(zigzag & 1)
    f_layout_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_layout_item, at = _read_tensor_layout_2(data, at)
            f_layout_items.append(f_layout_item)
        if data[at]:
            raise Unusual
        at += 1
    f_layout = tuple(f_layout_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_elements = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_chunk_elements = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_chunk_elements < 1 << 31:
        raise Unusual
    f_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_chunks_item, at = _read_chunk_reference(data, at)
            f_chunks_items.append(f_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_chunks = tuple(f_chunks_items)
    f_optimizer_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_optimizer_chunks_item, at = _read_chunk_reference(data, at)
            f_optimizer_chunks_items.append(f_optimizer_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_optimizer_chunks = tuple(f_optimizer_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    f_contributions_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_contributions_item, at = _read_contribution(data, at)
            f_contributions_items.append(f_contributions_item)
        if data[at]:
            raise Unusual
        at += 1
    f_contributions = tuple(f_contributions_items)
    if data[at] > 1:
        raise Unusual
    f_partial = data[at] == 1
    at += 1
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_terms = data[at:end].decode()
    at = end
    record = records.ModelManifest(
        task=f_task,
        version=f_version,
        parent_version=f_parent_version,
        parent_digest=f_parent_digest,
        round=f_round,
        attempt=f_attempt,
        rule=f_rule,
        server_optimizer=f_server_optimizer,
        staleness=f_staleness,
        fraction_bits=f_fraction_bits,
        total_weight=f_total_weight,
        layout=f_layout,
        num_elements=f_num_elements,
        chunk_elements=f_chunk_elements,
        chunks=f_chunks,
        optimizer_chunks=f_optimizer_chunks,
        model_digest=f_model_digest,
        contributions=f_contributions,
        partial=f_partial,
        created_ms=f_created_ms,
        terms=f_terms,
    )
    return record, at


def _fits_model_update_1(record: records.ModelUpdate) -> bool:
    return record.trained == () and record.measured == ()


def _write_model_update_1(record: records.ModelUpdate, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_participant = record.participant.encode()
    f_update_id = record.update_id.encode()
    f_base_digest = record.base_digest
    f_encoding = record.encoding.encode()
    f_layout_digest = record.layout_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_base_digest)) < NUM_SMALL else long_bytes(n),
        f_base_digest,
        SMALL[n] if 0 <= (n := record.weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_encoding)) < NUM_SMALL else long_bytes(n),
        f_encoding,
        SMALL[n] if (n := len(f_layout_digest)) < NUM_SMALL else long_bytes(n),
        f_layout_digest,
    )
    if record.scales:
        out.append(long_bytes(len(record.scales)))
        for scales_item in record.scales:
            out.append(_DOUBLE.pack(scales_item))
    out.append(b"\0")
    value = record.inline
    if value is None:
        out.append(b"\0")
    else:
        out.append(b"\2")
        f_value = value
        out += (
            SMALL[n] if (n := len(f_value)) < NUM_SMALL else long_bytes(n),
            f_value,
        )
    if record.chunks:
        out.append(long_bytes(len(record.chunks)))
        for chunks_item in record.chunks:
            _write_chunk_reference(chunks_item, out)
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n))


def _read_model_update_1(data: bytes, at: int) -> tuple[records.ModelUpdate, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_base_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_encoding = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_layout_digest = data[at:end]
    at = end
    f_scales_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            (f_scales_item,) = _DOUBLE.unpack_from(data, at)
            if f_scales_item != f_scales_item:
                raise Unusual
            at += 8
            f_scales_items.append(f_scales_item)
        if data[at]:
            raise Unusual
        at += 1
    f_scales = tuple(f_scales_items)
    tag = data[at]
    at += 1
    if tag == 2:
        zigzag = data[at]
        at += 1
        if zigzag > 0x7F:
            zigzag, at = rest_of_zigzag(zigzag, data, at)
        if zigzag & 1:
            raise Unusual
        end = at + (zigzag >> 1)
        f_inline = data[at:end]
        at = end
    elif tag == 0:
        f_inline = None
    else:
        raise Unusual
    f_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_chunks_item, at = _read_chunk_reference(data, at)
            f_chunks_items.append(f_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_chunks = tuple(f_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.ModelUpdate(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        participant=f_participant,
        update_id=f_update_id,
        base_version=f_base_version,
        base_digest=f_base_digest,
        weight=f_weight,
        encoding=f_encoding,
        layout_digest=f_layout_digest,
        scales=f_scales,
        inline=f_inline,
        chunks=f_chunks,
        created_ms=f_created_ms,
    )
    return record, at


def _write_model_update_2(record: records.ModelUpdate, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_participant = record.participant.encode()
    f_update_id = record.update_id.encode()
    f_base_digest = record.base_digest
    f_encoding = record.encoding.encode()
    f_layout_digest = record.layout_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_base_digest)) < NUM_SMALL else long_bytes(n),
        f_base_digest,
        SMALL[n] if 0 <= (n := record.weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_encoding)) < NUM_SMALL else long_bytes(n),
        f_encoding,
        SMALL[n] if (n := len(f_layout_digest)) < NUM_SMALL else long_bytes(n),
        f_layout_digest,
    )
    if record.scales:
        out.append(long_bytes(len(record.scales)))
        for scales_item in record.scales:
            out.append(_DOUBLE.pack(scales_item))
    out.append(b"\0")
    value = record.inline
    if value is None:
        out.append(b"\0")
    else:
        out.append(b"\2")
        f_value = value
        out += (
            SMALL[n] if (n := len(f_value)) < NUM_SMALL else long_bytes(n),
            f_value,
        )
    if record.chunks:
        out.append(long_bytes(len(record.chunks)))
        for chunks_item in record.chunks:
            _write_chunk_reference(chunks_item, out)
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n))
    if record.trained:
        out.append(long_bytes(len(record.trained)))
        for trained_item in record.trained:
            _write_training_report(trained_item, out)
    out.append(b"\0")
    if record.measured:
        out.append(long_bytes(len(record.measured)))
        for measured_item in record.measured:
            _write_held_out_metrics(measured_item, out)
    out.append(b"\0")


def _read_model_update_2(data: bytes, at: int) -> tuple[records.ModelUpdate, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_base_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_encoding = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_layout_digest = data[at:end]
    at = end
    f_scales_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            (f_scales_item,) = _DOUBLE.unpack_from(data, at)
            if f_scales_item != f_scales_item:
                raise Unusual
            at += 8
            f_scales_items.append(f_scales_item)
        if data[at]:
            raise Unusual
        at += 1
    f_scales = tuple(f_scales_items)
    tag = data[at]
    at += 1
    if tag == 2:
        zigzag = data[at]
        at += 1
        if zigzag > 0x7F:
            zigzag, at = rest_of_zigzag(zigzag, data, at)
        if zigzag & 1:
            raise Unusual
        end = at + (zigzag >> 1)
        f_inline = data[at:end]
        at = end
    elif tag == 0:
        f_inline = None
    else:
        raise Unusual
    f_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_chunks_item, at = _read_chunk_reference(data, at)
            f_chunks_items.append(f_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_chunks = tuple(f_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    f_trained_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_trained_item, at = _read_training_report(data, at)
            f_trained_items.append(f_trained_item)
        if data[at]:
            raise Unusual
        at += 1
    f_trained = tuple(f_trained_items)
    f_measured_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_measured_item, at = _read_held_out_metrics(data, at)
            f_measured_items.append(f_measured_item)
        if data[at]:
            raise Unusual
        at += 1
    f_measured = tuple(f_measured_items)
    record = records.ModelUpdate(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        participant=f_participant,
        update_id=f_update_id,
        base_version=f_base_version,
        base_digest=f_base_digest,
        weight=f_weight,
        encoding=f_encoding,
        layout_digest=f_layout_digest,
        scales=f_scales,
        inline=f_inline,
        chunks=f_chunks,
        created_ms=f_created_ms,
        trained=f_trained,
        measured=f_measured,
    )
    return record, at


def _write_training_report(record: records.TrainingReport, out: list[bytes]) -> None:
    f_device_class = record.device_class.encode()
    f_precision = record.precision.encode()
    out += (
        SMALL[n] if (n := len(f_device_class)) < NUM_SMALL else long_bytes(n),
        f_device_class,
        SMALL[n] if (n := len(f_precision)) < NUM_SMALL else long_bytes(n),
        f_precision,
        SMALL[n] if 0 <= (n := record.epochs) < NUM_SMALL else int_bytes(n),
        _DOUBLE.pack(record.seconds),
        _DOUBLE.pack(record.processor_seconds),
        _DOUBLE.pack(record.joules),
        SMALL[n] if 0 <= (n := record.bytes_sent) < NUM_SMALL else long_bytes(n),
    )


def _read_training_report(data: bytes, at: int) -> tuple[records.TrainingReport, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_device_class = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_precision = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_epochs = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_epochs < 1 << 31:
        raise Unusual
    (f_seconds,) = _DOUBLE.unpack_from(data, at)
    if f_seconds != f_seconds:
        raise Unusual
    at += 8
    (f_processor_seconds,) = _DOUBLE.unpack_from(data, at)
    if f_processor_seconds != f_processor_seconds:
        raise Unusual
    at += 8
    (f_joules,) = _DOUBLE.unpack_from(data, at)
    if f_joules != f_joules:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_bytes_sent = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.TrainingReport(
        device_class=f_device_class,
        precision=f_precision,
        epochs=f_epochs,
        seconds=f_seconds,
        processor_seconds=f_processor_seconds,
        joules=f_joules,
        bytes_sent=f_bytes_sent,
    )
    return record, at


def _write_metric(record: records.Metric, out: list[bytes]) -> None:
    f_name = record.name.encode()
    out += (
        SMALL[n] if (n := len(f_name)) < NUM_SMALL else long_bytes(n),
        f_name,
        _DOUBLE.pack(record.value),
    )


def _read_metric(data: bytes, at: int) -> tuple[records.Metric, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_name = data[at:end].decode()
    at = end
    (f_value,) = _DOUBLE.unpack_from(data, at)
    if f_value != f_value:
        raise Unusual
    at += 8
    record = records.Metric(
        name=f_name,
        value=f_value,
    )
    return record, at


def _write_held_out_metrics(record: records.HeldOutMetrics, out: list[bytes]) -> None:
    f_attribute = record.attribute.encode()
    f_group = record.group.encode()
    out += (
        SMALL[n] if (n := len(f_attribute)) < NUM_SMALL else long_bytes(n),
        f_attribute,
        SMALL[n] if (n := len(f_group)) < NUM_SMALL else long_bytes(n),
        f_group,
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
    )
    if record.metrics:
        out.append(long_bytes(len(record.metrics)))
        for metrics_item in record.metrics:
            _write_metric(metrics_item, out)
    out.append(b"\0")


def _read_held_out_metrics(data: bytes, at: int) -> tuple[records.HeldOutMetrics, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_attribute = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_group = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    f_metrics_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_metrics_item, at = _read_metric(data, at)
            f_metrics_items.append(f_metrics_item)
        if data[at]:
            raise Unusual
        at += 1
    f_metrics = tuple(f_metrics_items)
    record = records.HeldOutMetrics(
        attribute=f_attribute,
        group=f_group,
        num_examples=f_num_examples,
        metrics=f_metrics,
    )
    return record, at


def _write_operator_act(record: records.OperatorAct, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_artefact_sha256 = record.artefact_sha256
    f_operator = record.operator.encode()
    f_reason = record.reason.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.promotion) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_artefact_sha256)) < NUM_SMALL else long_bytes(n),
        f_artefact_sha256,
        _OPERATOR_STEP_BYTES[record.step.value],
        SMALL[n] if (n := len(f_operator)) < NUM_SMALL else long_bytes(n),
        f_operator,
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
        SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_operator_act(data: bytes, at: int) -> tuple[records.OperatorAct, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_promotion = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_artefact_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_step = _OPERATOR_STEP[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_operator = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.OperatorAct(
        task=f_task,
        promotion=f_promotion,
        artefact_sha256=f_artefact_sha256,
        step=f_step,
        operator=f_operator,
        reason=f_reason,
        created_ms=f_created_ms,
    )
    return record, at


def _write_run(record: records.Run, out: list[bytes]) -> None:
    out += (
        SMALL[n] if 0 <= (n := record.skipped) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.length) < NUM_SMALL else int_bytes(n),
    )


def _read_run(data: bytes, at: int) -> tuple[records.Run, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_skipped = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_length = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_length < 1 << 31:
        raise Unusual
    record = records.Run(
        skipped=f_skipped,
        length=f_length,
    )
    return record, at


def _write_over_rate(record: records.OverRate, out: list[bytes]) -> None:
    f_source_topic = record.source_topic.encode()
    f_participant = record.participant.encode()
    out += (
        SMALL[n] if (n := len(f_source_topic)) < NUM_SMALL else long_bytes(n),
        f_source_topic,
        SMALL[n] if 0 <= (n := record.source_partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.first) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.source_timestamp_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
    )
    if record.runs:
        out.append(long_bytes(len(record.runs)))
        for runs_item in record.runs:
            _write_run(runs_item, out)
    out.append(b"\0")
    f_records_sha256 = record.records_sha256
    out += (
        SMALL[n] if (n := len(f_records_sha256)) < NUM_SMALL else long_bytes(n),
        f_records_sha256,
    )


def _read_over_rate(data: bytes, at: int) -> tuple[records.OverRate, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_source_topic = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_source_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_first = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_timestamp_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    f_runs_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_runs_item, at = _read_run(data, at)
            f_runs_items.append(f_runs_item)
        if data[at]:
            raise Unusual
        at += 1
    f_runs = tuple(f_runs_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_records_sha256 = data[at:end]
    at = end
    record = records.OverRate(
        source_topic=f_source_topic,
        source_partition=f_source_partition,
        first=f_first,
        source_timestamp_ms=f_source_timestamp_ms,
        participant=f_participant,
        runs=f_runs,
        records_sha256=f_records_sha256,
    )
    return record, at


def _fits_participant_1(record: records.Participant) -> bool:
    return record.version == 0 and record.withdrawn == () and record.requested_ms == 0


def _write_participant_1(record: records.Participant, out: list[bytes]) -> None:
    f_participant = record.participant.encode()
    f_public_key = record.public_key
    out += (
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_public_key)) < NUM_SMALL else long_bytes(n),
        f_public_key,
        _PARTICIPANT_STATUS_BYTES[record.status.value],
    )
    if record.agreements:
        out.append(long_bytes(len(record.agreements)))
        for agreements_item in record.agreements:
            _write_signed_agreement(agreements_item, out)
    out.append(b"\0")
    _write_device_profile(record.device, out)
    f_request_sha256 = record.request_sha256
    out += (
        SMALL[n] if 0 <= (n := record.enrolled_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_request_sha256)) < NUM_SMALL else long_bytes(n),
        f_request_sha256,
    )


def _read_participant_1(data: bytes, at: int) -> tuple[records.Participant, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_public_key = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_status = _PARTICIPANT_STATUS[zigzag >> 1]
    f_agreements_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_agreements_item, at = _read_signed_agreement(data, at)
            f_agreements_items.append(f_agreements_item)
        if data[at]:
            raise Unusual
        at += 1
    f_agreements = tuple(f_agreements_items)
    f_device, at = _read_device_profile(data, at)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_enrolled_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_request_sha256 = data[at:end]
    at = end
    record = records.Participant(
        participant=f_participant,
        public_key=f_public_key,
        status=f_status,
        agreements=f_agreements,
        device=f_device,
        enrolled_ms=f_enrolled_ms,
        request_sha256=f_request_sha256,
    )
    return record, at


def _write_participant_2(record: records.Participant, out: list[bytes]) -> None:
    f_participant = record.participant.encode()
    f_public_key = record.public_key
    out += (
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_public_key)) < NUM_SMALL else long_bytes(n),
        f_public_key,
        _PARTICIPANT_STATUS_BYTES[record.status.value],
    )
    if record.agreements:
        out.append(long_bytes(len(record.agreements)))
        for agreements_item in record.agreements:
            _write_signed_agreement(agreements_item, out)
    out.append(b"\0")
    _write_device_profile(record.device, out)
    f_request_sha256 = record.request_sha256
    out += (
        SMALL[n] if 0 <= (n := record.enrolled_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_request_sha256)) < NUM_SMALL else long_bytes(n),
        f_request_sha256,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
    )
    if record.withdrawn:
        out.append(long_bytes(len(record.withdrawn)))
        for withdrawn_item in record.withdrawn:
            _write_withdrawn_agreement(withdrawn_item, out)
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.requested_ms) < NUM_SMALL else long_bytes(n))


def _read_participant_2(data: bytes, at: int) -> tuple[records.Participant, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_public_key = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_status = _PARTICIPANT_STATUS[zigzag >> 1]
    f_agreements_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_agreements_item, at = _read_signed_agreement(data, at)
            f_agreements_items.append(f_agreements_item)
        if data[at]:
            raise Unusual
        at += 1
    f_agreements = tuple(f_agreements_items)
    f_device, at = _read_device_profile(data, at)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_enrolled_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_request_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    f_withdrawn_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_withdrawn_item, at = _read_withdrawn_agreement(data, at)
            f_withdrawn_items.append(f_withdrawn_item)
        if data[at]:
            raise Unusual
        at += 1
    f_withdrawn = tuple(f_withdrawn_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_requested_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Participant(
        participant=f_participant,
        public_key=f_public_key,
        status=f_status,
        agreements=f_agreements,
        device=f_device,
        enrolled_ms=f_enrolled_ms,
        request_sha256=f_request_sha256,
        version=f_version,
        withdrawn=f_withdrawn,
        requested_ms=f_requested_ms,
    )
    return record, at


def _write_withdrawn_agreement(record: records.WithdrawnAgreement, out: list[bytes]) -> None:
    f_agreement = record.agreement.encode()
    f_sha256 = record.sha256
    out += (
        SMALL[n] if (n := len(f_agreement)) < NUM_SMALL else long_bytes(n),
        f_agreement,
        SMALL[n] if (n := len(f_sha256)) < NUM_SMALL else long_bytes(n),
        f_sha256,
        SMALL[n] if 0 <= (n := record.withdrawn_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_withdrawn_agreement(data: bytes, at: int) -> tuple[records.WithdrawnAgreement, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_agreement = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_withdrawn_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.WithdrawnAgreement(
        agreement=f_agreement,
        sha256=f_sha256,
        withdrawn_ms=f_withdrawn_ms,
    )
    return record, at


def _write_group_finding(record: records.GroupFinding, out: list[bytes]) -> None:
    f_metric = record.metric.encode()
    f_group = record.group.encode()
    f_verdict = record.verdict.encode()
    out += (
        SMALL[n] if (n := len(f_metric)) < NUM_SMALL else long_bytes(n),
        f_metric,
        SMALL[n] if (n := len(f_group)) < NUM_SMALL else long_bytes(n),
        f_group,
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.harmed) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.helped) < NUM_SMALL else long_bytes(n),
        _DOUBLE.pack(record.value),
        _DOUBLE.pack(record.drop),
        _DOUBLE.pack(record.bound),
        _DOUBLE.pack(record.margin),
        _DOUBLE.pack(record.p_value),
        SMALL[n] if (n := len(f_verdict)) < NUM_SMALL else long_bytes(n),
        f_verdict,
    )


def _read_group_finding(data: bytes, at: int) -> tuple[records.GroupFinding, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_metric = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_group = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_harmed = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_helped = (zigzag >> 1) ^ -(zigzag & 1)
    (f_value,) = _DOUBLE.unpack_from(data, at)
    if f_value != f_value:
        raise Unusual
    at += 8
    (f_drop,) = _DOUBLE.unpack_from(data, at)
    if f_drop != f_drop:
        raise Unusual
    at += 8
    (f_bound,) = _DOUBLE.unpack_from(data, at)
    if f_bound != f_bound:
        raise Unusual
    at += 8
    (f_margin,) = _DOUBLE.unpack_from(data, at)
    if f_margin != f_margin:
        raise Unusual
    at += 8
    (f_p_value,) = _DOUBLE.unpack_from(data, at)
    if f_p_value != f_p_value:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_verdict = data[at:end].decode()
    at = end
    record = records.GroupFinding(
        metric=f_metric,
        group=f_group,
        num_examples=f_num_examples,
        harmed=f_harmed,
        helped=f_helped,
        value=f_value,
        drop=f_drop,
        bound=f_bound,
        margin=f_margin,
        p_value=f_p_value,
        verdict=f_verdict,
    )
    return record, at


def _fits_promotion_1(record: records.Promotion) -> bool:
    return record.gate == 0


def _write_promotion_1(record: records.Promotion, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_model_digest = record.model_digest
    f_variant = record.variant.encode()
    f_artefact_sha256 = record.artefact_sha256
    f_runtime = record.runtime.encode()
    f_processor = record.processor.encode()
    f_reason = record.reason.encode()
    f_policy_sha256 = record.policy_sha256
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.sequence) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
        SMALL[n] if (n := len(f_variant)) < NUM_SMALL else long_bytes(n),
        f_variant,
        SMALL[n] if (n := len(f_artefact_sha256)) < NUM_SMALL else long_bytes(n),
        f_artefact_sha256,
        SMALL[n] if (n := len(f_runtime)) < NUM_SMALL else long_bytes(n),
        f_runtime,
        SMALL[n] if (n := len(f_processor)) < NUM_SMALL else long_bytes(n),
        f_processor,
        _PROMOTION_DECISION_BYTES[record.decision.value],
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
        SMALL[n] if (n := len(f_policy_sha256)) < NUM_SMALL else long_bytes(n),
        f_policy_sha256,
    )
    if record.measurements:
        out.append(long_bytes(len(record.measurements)))
        for measurements_item in record.measurements:
            f_measurements_item = measurements_item
            out += (
                SMALL[n] if (n := len(f_measurements_item)) < NUM_SMALL else long_bytes(n),
                f_measurements_item,
            )
    out.append(b"\0")
    if record.findings:
        out.append(long_bytes(len(record.findings)))
        for findings_item in record.findings:
            _write_group_finding(findings_item, out)
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.gate_uses) < NUM_SMALL else long_bytes(n))
    if record.signers:
        out.append(long_bytes(len(record.signers)))
        for signers_item in record.signers:
            f_signers_item = signers_item.encode()
            out += (
                SMALL[n] if (n := len(f_signers_item)) < NUM_SMALL else long_bytes(n),
                f_signers_item,
            )
    out.append(b"\0")
    if record.acts:
        out.append(long_bytes(len(record.acts)))
        for acts_item in record.acts:
            f_acts_item = acts_item
            out += (
                SMALL[n] if (n := len(f_acts_item)) < NUM_SMALL else long_bytes(n),
                f_acts_item,
            )
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n))


def _read_promotion_1(data: bytes, at: int) -> tuple[records.Promotion, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_sequence = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_variant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_artefact_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_runtime = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_processor = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_decision = _PROMOTION_DECISION[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_policy_sha256 = data[at:end]
    at = end
    f_measurements_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_measurements_item = data[at:end]
            at = end
            f_measurements_items.append(f_measurements_item)
        if data[at]:
            raise Unusual
        at += 1
    f_measurements = tuple(f_measurements_items)
    f_findings_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_findings_item, at = _read_group_finding(data, at)
            f_findings_items.append(f_findings_item)
        if data[at]:
            raise Unusual
        at += 1
    f_findings = tuple(f_findings_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_gate_uses = (zigzag >> 1) ^ -(zigzag & 1)
    f_signers_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_signers_item = data[at:end].decode()
            at = end
            f_signers_items.append(f_signers_item)
        if data[at]:
            raise Unusual
        at += 1
    f_signers = tuple(f_signers_items)
    f_acts_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_acts_item = data[at:end]
            at = end
            f_acts_items.append(f_acts_item)
        if data[at]:
            raise Unusual
        at += 1
    f_acts = tuple(f_acts_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Promotion(
        task=f_task,
        sequence=f_sequence,
        version=f_version,
        model_digest=f_model_digest,
        variant=f_variant,
        artefact_sha256=f_artefact_sha256,
        runtime=f_runtime,
        processor=f_processor,
        decision=f_decision,
        reason=f_reason,
        policy_sha256=f_policy_sha256,
        measurements=f_measurements,
        findings=f_findings,
        gate_uses=f_gate_uses,
        signers=f_signers,
        acts=f_acts,
        created_ms=f_created_ms,
    )
    return record, at


def _write_promotion_2(record: records.Promotion, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_model_digest = record.model_digest
    f_variant = record.variant.encode()
    f_artefact_sha256 = record.artefact_sha256
    f_runtime = record.runtime.encode()
    f_processor = record.processor.encode()
    f_reason = record.reason.encode()
    f_policy_sha256 = record.policy_sha256
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.sequence) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
        SMALL[n] if (n := len(f_variant)) < NUM_SMALL else long_bytes(n),
        f_variant,
        SMALL[n] if (n := len(f_artefact_sha256)) < NUM_SMALL else long_bytes(n),
        f_artefact_sha256,
        SMALL[n] if (n := len(f_runtime)) < NUM_SMALL else long_bytes(n),
        f_runtime,
        SMALL[n] if (n := len(f_processor)) < NUM_SMALL else long_bytes(n),
        f_processor,
        _PROMOTION_DECISION_BYTES[record.decision.value],
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
        SMALL[n] if (n := len(f_policy_sha256)) < NUM_SMALL else long_bytes(n),
        f_policy_sha256,
    )
    if record.measurements:
        out.append(long_bytes(len(record.measurements)))
        for measurements_item in record.measurements:
            f_measurements_item = measurements_item
            out += (
                SMALL[n] if (n := len(f_measurements_item)) < NUM_SMALL else long_bytes(n),
                f_measurements_item,
            )
    out.append(b"\0")
    if record.findings:
        out.append(long_bytes(len(record.findings)))
        for findings_item in record.findings:
            _write_group_finding(findings_item, out)
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.gate_uses) < NUM_SMALL else long_bytes(n))
    if record.signers:
        out.append(long_bytes(len(record.signers)))
        for signers_item in record.signers:
            f_signers_item = signers_item.encode()
            out += (
                SMALL[n] if (n := len(f_signers_item)) < NUM_SMALL else long_bytes(n),
                f_signers_item,
            )
    out.append(b"\0")
    if record.acts:
        out.append(long_bytes(len(record.acts)))
        for acts_item in record.acts:
            f_acts_item = acts_item
            out += (
                SMALL[n] if (n := len(f_acts_item)) < NUM_SMALL else long_bytes(n),
                f_acts_item,
            )
    out.append(b"\0")
    out += (
        SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.gate) < NUM_SMALL else long_bytes(n),
    )


def _read_promotion_2(data: bytes, at: int) -> tuple[records.Promotion, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_sequence = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_variant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_artefact_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_runtime = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_processor = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_decision = _PROMOTION_DECISION[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_policy_sha256 = data[at:end]
    at = end
    f_measurements_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_measurements_item = data[at:end]
            at = end
            f_measurements_items.append(f_measurements_item)
        if data[at]:
            raise Unusual
        at += 1
    f_measurements = tuple(f_measurements_items)
    f_findings_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_findings_item, at = _read_group_finding(data, at)
            f_findings_items.append(f_findings_item)
        if data[at]:
            raise Unusual
        at += 1
    f_findings = tuple(f_findings_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_gate_uses = (zigzag >> 1) ^ -(zigzag & 1)
    f_signers_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_signers_item = data[at:end].decode()
            at = end
            f_signers_items.append(f_signers_item)
        if data[at]:
            raise Unusual
        at += 1
    f_signers = tuple(f_signers_items)
    f_acts_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_acts_item = data[at:end]
            at = end
            f_acts_items.append(f_acts_item)
        if data[at]:
            raise Unusual
        at += 1
    f_acts = tuple(f_acts_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_gate = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Promotion(
        task=f_task,
        sequence=f_sequence,
        version=f_version,
        model_digest=f_model_digest,
        variant=f_variant,
        artefact_sha256=f_artefact_sha256,
        runtime=f_runtime,
        processor=f_processor,
        decision=f_decision,
        reason=f_reason,
        policy_sha256=f_policy_sha256,
        measurements=f_measurements,
        findings=f_findings,
        gate_uses=f_gate_uses,
        signers=f_signers,
        acts=f_acts,
        created_ms=f_created_ms,
        gate=f_gate,
    )
    return record, at


def _write_published_model(record: records.PublishedModel, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_model_digest = record.model_digest
    f_manifest_sha256 = record.manifest_sha256
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
        SMALL[n] if (n := len(f_manifest_sha256)) < NUM_SMALL else long_bytes(n),
        f_manifest_sha256,
        SMALL[n] if 0 <= (n := record.num_selected) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.num_contributions) < NUM_SMALL else int_bytes(n),
    )


def _read_published_model(data: bytes, at: int) -> tuple[records.PublishedModel, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_manifest_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_selected = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_num_selected < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_contributions = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_num_contributions < 1 << 31:
        raise Unusual
    record = records.PublishedModel(
        task=f_task,
        version=f_version,
        round=f_round,
        attempt=f_attempt,
        model_digest=f_model_digest,
        manifest_sha256=f_manifest_sha256,
        num_selected=f_num_selected,
        num_contributions=f_num_contributions,
    )
    return record, at


def _write_receipt(record: records.Receipt, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_participant = record.participant.encode()
    f_update_id = record.update_id.encode()
    f_model_digest = record.model_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        _OUTCOME_BYTES[record.outcome.value],
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
    )


def _read_receipt(data: bytes, at: int) -> tuple[records.Receipt, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_outcome = _OUTCOME[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    record = records.Receipt(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        participant=f_participant,
        update_id=f_update_id,
        outcome=f_outcome,
        version=f_version,
        weight=f_weight,
        model_digest=f_model_digest,
    )
    return record, at


def _fits_release_1(record: records.Release) -> bool:
    return record.reason == "" and record.groups == () and record.participants == () and not record.again


def _write_release_1(record: records.Release, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_model_digest = record.model_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
    )
    if record.metrics:
        out.append(long_bytes(len(record.metrics)))
        for metrics_item in record.metrics:
            _write_metric(metrics_item, out)
    out.append(b"\0")
    f_device = record.device.encode()
    out += (
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_device)) < NUM_SMALL else long_bytes(n),
        f_device,
        SMALL[n] if 0 <= (n := record.duration_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_release_1(data: bytes, at: int) -> tuple[records.Release, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    f_metrics_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_metrics_item, at = _read_metric(data, at)
            f_metrics_items.append(f_metrics_item)
        if data[at]:
            raise Unusual
        at += 1
    f_metrics = tuple(f_metrics_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_device = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_duration_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Release(
        task=f_task,
        version=f_version,
        model_digest=f_model_digest,
        metrics=f_metrics,
        num_examples=f_num_examples,
        device=f_device,
        duration_ms=f_duration_ms,
    )
    return record, at


def _write_release_2(record: records.Release, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_model_digest = record.model_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
    )
    if record.metrics:
        out.append(long_bytes(len(record.metrics)))
        for metrics_item in record.metrics:
            _write_metric(metrics_item, out)
    out.append(b"\0")
    f_device = record.device.encode()
    f_reason = record.reason.encode()
    out += (
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_device)) < NUM_SMALL else long_bytes(n),
        f_device,
        SMALL[n] if 0 <= (n := record.duration_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
    )
    if record.groups:
        out.append(long_bytes(len(record.groups)))
        for groups_item in record.groups:
            _write_group_measurement(groups_item, out)
    out.append(b"\0")
    if record.participants:
        out.append(long_bytes(len(record.participants)))
        for participants_item in record.participants:
            _write_participants_metric(participants_item, out)
    out.append(b"\0")
    out.append(b"\1" if record.again else b"\0")


def _read_release_2(data: bytes, at: int) -> tuple[records.Release, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    f_metrics_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_metrics_item, at = _read_metric(data, at)
            f_metrics_items.append(f_metrics_item)
        if data[at]:
            raise Unusual
        at += 1
    f_metrics = tuple(f_metrics_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_device = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_duration_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    f_groups_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_groups_item, at = _read_group_measurement(data, at)
            f_groups_items.append(f_groups_item)
        if data[at]:
            raise Unusual
        at += 1
    f_groups = tuple(f_groups_items)
    f_participants_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_participants_item, at = _read_participants_metric(data, at)
            f_participants_items.append(f_participants_item)
        if data[at]:
            raise Unusual
        at += 1
    f_participants = tuple(f_participants_items)
    if data[at] > 1:
        raise Unusual
    f_again = data[at] == 1
    at += 1
    record = records.Release(
        task=f_task,
        version=f_version,
        model_digest=f_model_digest,
        metrics=f_metrics,
        num_examples=f_num_examples,
        device=f_device,
        duration_ms=f_duration_ms,
        reason=f_reason,
        groups=f_groups,
        participants=f_participants,
        again=f_again,
    )
    return record, at


def _write_group_measurement(record: records.GroupMeasurement, out: list[bytes]) -> None:
    f_attribute = record.attribute.encode()
    f_group = record.group.encode()
    out += (
        SMALL[n] if (n := len(f_attribute)) < NUM_SMALL else long_bytes(n),
        f_attribute,
        SMALL[n] if (n := len(f_group)) < NUM_SMALL else long_bytes(n),
        f_group,
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
    )
    if record.metrics:
        out.append(long_bytes(len(record.metrics)))
        for metrics_item in record.metrics:
            _write_metric(metrics_item, out)
    out.append(b"\0")
    f_reason = record.reason.encode()
    out += (
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
    )


def _read_group_measurement(data: bytes, at: int) -> tuple[records.GroupMeasurement, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_attribute = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_group = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    f_metrics_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_metrics_item, at = _read_metric(data, at)
            f_metrics_items.append(f_metrics_item)
        if data[at]:
            raise Unusual
        at += 1
    f_metrics = tuple(f_metrics_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    record = records.GroupMeasurement(
        attribute=f_attribute,
        group=f_group,
        num_examples=f_num_examples,
        metrics=f_metrics,
        reason=f_reason,
    )
    return record, at


def _write_participants_metric(record: records.ParticipantsMetric, out: list[bytes]) -> None:
    f_attribute = record.attribute.encode()
    f_group = record.group.encode()
    f_metric = record.metric.encode()
    out += (
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_attribute)) < NUM_SMALL else long_bytes(n),
        f_attribute,
        SMALL[n] if (n := len(f_group)) < NUM_SMALL else long_bytes(n),
        f_group,
        SMALL[n] if (n := len(f_metric)) < NUM_SMALL else long_bytes(n),
        f_metric,
        SMALL[n] if 0 <= (n := record.participants) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.num_examples) < NUM_SMALL else long_bytes(n),
        _DOUBLE.pack(record.mean),
        _DOUBLE.pack(record.p10),
        _DOUBLE.pack(record.p25),
        _DOUBLE.pack(record.p50),
        _DOUBLE.pack(record.p75),
        _DOUBLE.pack(record.p90),
    )


def _read_participants_metric(data: bytes, at: int) -> tuple[records.ParticipantsMetric, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_attribute = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_group = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_metric = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_participants = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_participants < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_examples = (zigzag >> 1) ^ -(zigzag & 1)
    (f_mean,) = _DOUBLE.unpack_from(data, at)
    if f_mean != f_mean:
        raise Unusual
    at += 8
    (f_p10,) = _DOUBLE.unpack_from(data, at)
    if f_p10 != f_p10:
        raise Unusual
    at += 8
    (f_p25,) = _DOUBLE.unpack_from(data, at)
    if f_p25 != f_p25:
        raise Unusual
    at += 8
    (f_p50,) = _DOUBLE.unpack_from(data, at)
    if f_p50 != f_p50:
        raise Unusual
    at += 8
    (f_p75,) = _DOUBLE.unpack_from(data, at)
    if f_p75 != f_p75:
        raise Unusual
    at += 8
    (f_p90,) = _DOUBLE.unpack_from(data, at)
    if f_p90 != f_p90:
        raise Unusual
    at += 8
    record = records.ParticipantsMetric(
        version=f_version,
        attribute=f_attribute,
        group=f_group,
        metric=f_metric,
        participants=f_participants,
        num_examples=f_num_examples,
        mean=f_mean,
        p10=f_p10,
        p25=f_p25,
        p50=f_p50,
        p75=f_p75,
        p90=f_p90,
    )
    return record, at


def _fits_round_1(record: records.Round) -> bool:
    return (
        record.status in _ROUND_STATUS_1_SYMBOLS
        and all(_fits_tensor_layout_1(item) for item in record.layout)
        and record.terms == ""
    )


def _write_round_1(record: records.Round, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_base_digest = record.base_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        _ROUND_STATUS_BYTES[record.status.value],
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_base_digest)) < NUM_SMALL else long_bytes(n),
        f_base_digest,
    )
    if record.base_chunks:
        out.append(long_bytes(len(record.base_chunks)))
        for base_chunks_item in record.base_chunks:
            _write_chunk_reference(base_chunks_item, out)
    out.append(b"\0")
    if record.layout:
        out.append(long_bytes(len(record.layout)))
        for layout_item in record.layout:
            _write_tensor_layout_1(layout_item, out)
    out.append(b"\0")
    f_layout_digest = record.layout_digest
    f_rule = record.rule.encode()
    f_server_optimizer = record.server_optimizer.encode()
    out += (
        SMALL[n] if (n := len(f_layout_digest)) < NUM_SMALL else long_bytes(n),
        f_layout_digest,
        SMALL[n] if 0 <= (n := record.num_elements) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.chunk_elements) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.opened_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.deadline_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.quorum) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.target) < NUM_SMALL else int_bytes(n),
        _DOUBLE.pack(record.max_abs),
        _DOUBLE.pack(record.max_norm),
        SMALL[n] if 0 <= (n := record.max_weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.fraction_bits) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.kept_versions) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_rule)) < NUM_SMALL else long_bytes(n),
        f_rule,
        SMALL[n] if (n := len(f_server_optimizer)) < NUM_SMALL else long_bytes(n),
        f_server_optimizer,
    )
    if record.optimizer_chunks:
        out.append(long_bytes(len(record.optimizer_chunks)))
        for optimizer_chunks_item in record.optimizer_chunks:
            _write_chunk_reference(optimizer_chunks_item, out)
    out.append(b"\0")
    f_staleness = record.staleness.encode()
    f_seed = record.seed
    out += (
        _WINDOW_MODE_BYTES[record.window.value],
        SMALL[n] if 0 <= (n := record.grace_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.max_staleness) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_staleness)) < NUM_SMALL else long_bytes(n),
        f_staleness,
        SMALL[n] if (n := len(f_seed)) < NUM_SMALL else long_bytes(n),
        f_seed,
        _DOUBLE.pack(record.invited_fraction),
        b"\1" if record.partial else b"\0",
    )
    if record.encodings:
        out.append(long_bytes(len(record.encodings)))
        for encodings_item in record.encodings:
            f_encodings_item = encodings_item.encode()
            out += (
                SMALL[n] if (n := len(f_encodings_item)) < NUM_SMALL else long_bytes(n),
                f_encodings_item,
            )
    out.append(b"\0")
    f_agreement = record.agreement.encode()
    f_training = record.training.encode()
    out += (
        SMALL[n] if (n := len(f_agreement)) < NUM_SMALL else long_bytes(n),
        f_agreement,
        SMALL[n] if (n := len(f_training)) < NUM_SMALL else long_bytes(n),
        f_training,
    )


def _read_round_1(data: bytes, at: int) -> tuple[records.Round, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_status = _ROUND_STATUS_1[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_base_digest = data[at:end]
    at = end
    f_base_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_base_chunks_item, at = _read_chunk_reference(data, at)
            f_base_chunks_items.append(f_base_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_base_chunks = tuple(f_base_chunks_items)
    f_layout_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_layout_item, at = _read_tensor_layout_1(data, at)
            f_layout_items.append(f_layout_item)
        if data[at]:
            raise Unusual
        at += 1
    f_layout = tuple(f_layout_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_layout_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_elements = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_chunk_elements = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_chunk_elements < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_opened_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_deadline_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_quorum = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_quorum < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_target = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_target < 1 << 31:
        raise Unusual
    (f_max_abs,) = _DOUBLE.unpack_from(data, at)
    if f_max_abs != f_max_abs:
        raise Unusual
    at += 8
    (f_max_norm,) = _DOUBLE.unpack_from(data, at)
    if f_max_norm != f_max_norm:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_max_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_fraction_bits = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_fraction_bits < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_kept_versions = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_kept_versions < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_rule = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_server_optimizer = data[at:end].decode()
    at = end
    f_optimizer_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_optimizer_chunks_item, at = _read_chunk_reference(data, at)
            f_optimizer_chunks_items.append(f_optimizer_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_optimizer_chunks = tuple(f_optimizer_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_window = _WINDOW_MODE[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_grace_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_max_staleness = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_staleness = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_seed = data[at:end]
    at = end
    (f_invited_fraction,) = _DOUBLE.unpack_from(data, at)
    if f_invited_fraction != f_invited_fraction:
        raise Unusual
    at += 8
    if data[at] > 1:
        raise Unusual
    f_partial = data[at] == 1
    at += 1
    f_encodings_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_encodings_item = data[at:end].decode()
            at = end
            f_encodings_items.append(f_encodings_item)
        if data[at]:
            raise Unusual
        at += 1
    f_encodings = tuple(f_encodings_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_agreement = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_training = data[at:end].decode()
    at = end
    record = records.Round(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        status=f_status,
        base_version=f_base_version,
        base_digest=f_base_digest,
        base_chunks=f_base_chunks,
        layout=f_layout,
        layout_digest=f_layout_digest,
        num_elements=f_num_elements,
        chunk_elements=f_chunk_elements,
        opened_ms=f_opened_ms,
        deadline_ms=f_deadline_ms,
        quorum=f_quorum,
        target=f_target,
        max_abs=f_max_abs,
        max_norm=f_max_norm,
        max_weight=f_max_weight,
        fraction_bits=f_fraction_bits,
        kept_versions=f_kept_versions,
        rule=f_rule,
        server_optimizer=f_server_optimizer,
        optimizer_chunks=f_optimizer_chunks,
        window=f_window,
        grace_ms=f_grace_ms,
        max_staleness=f_max_staleness,
        staleness=f_staleness,
        seed=f_seed,
        invited_fraction=f_invited_fraction,
        partial=f_partial,
        encodings=f_encodings,
        agreement=f_agreement,
        training=f_training,
    )
    return record, at


def _write_round_2(record: records.Round, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_base_digest = record.base_digest
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        _ROUND_STATUS_BYTES[record.status.value],
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_base_digest)) < NUM_SMALL else long_bytes(n),
        f_base_digest,
    )
    if record.base_chunks:
        out.append(long_bytes(len(record.base_chunks)))
        for base_chunks_item in record.base_chunks:
            _write_chunk_reference(base_chunks_item, out)
    out.append(b"\0")
    if record.layout:
        out.append(long_bytes(len(record.layout)))
        for layout_item in record.layout:
            _write_tensor_layout_2(layout_item, out)
    out.append(b"\0")
    f_layout_digest = record.layout_digest
    f_rule = record.rule.encode()
    f_server_optimizer = record.server_optimizer.encode()
    out += (
        SMALL[n] if (n := len(f_layout_digest)) < NUM_SMALL else long_bytes(n),
        f_layout_digest,
        SMALL[n] if 0 <= (n := record.num_elements) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.chunk_elements) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.opened_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.deadline_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.quorum) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.target) < NUM_SMALL else int_bytes(n),
        _DOUBLE.pack(record.max_abs),
        _DOUBLE.pack(record.max_norm),
        SMALL[n] if 0 <= (n := record.max_weight) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.fraction_bits) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.kept_versions) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_rule)) < NUM_SMALL else long_bytes(n),
        f_rule,
        SMALL[n] if (n := len(f_server_optimizer)) < NUM_SMALL else long_bytes(n),
        f_server_optimizer,
    )
    if record.optimizer_chunks:
        out.append(long_bytes(len(record.optimizer_chunks)))
        for optimizer_chunks_item in record.optimizer_chunks:
            _write_chunk_reference(optimizer_chunks_item, out)
    out.append(b"\0")
    f_staleness = record.staleness.encode()
    f_seed = record.seed
    out += (
        _WINDOW_MODE_BYTES[record.window.value],
        SMALL[n] if 0 <= (n := record.grace_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.max_staleness) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_staleness)) < NUM_SMALL else long_bytes(n),
        f_staleness,
        SMALL[n] if (n := len(f_seed)) < NUM_SMALL else long_bytes(n),
        f_seed,
        _DOUBLE.pack(record.invited_fraction),
        b"\1" if record.partial else b"\0",
    )
    if record.encodings:
        out.append(long_bytes(len(record.encodings)))
        for encodings_item in record.encodings:
            f_encodings_item = encodings_item.encode()
            out += (
                SMALL[n] if (n := len(f_encodings_item)) < NUM_SMALL else long_bytes(n),
                f_encodings_item,
            )
    out.append(b"\0")
    f_agreement = record.agreement.encode()
    f_training = record.training.encode()
    f_terms = record.terms.encode()
    out += (
        SMALL[n] if (n := len(f_agreement)) < NUM_SMALL else long_bytes(n),
        f_agreement,
        SMALL[n] if (n := len(f_training)) < NUM_SMALL else long_bytes(n),
        f_training,
        SMALL[n] if (n := len(f_terms)) < NUM_SMALL else long_bytes(n),
        f_terms,
    )


def _read_round_2(data: bytes, at: int) -> tuple[records.Round, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_status = _ROUND_STATUS_2[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_base_digest = data[at:end]
    at = end
    f_base_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_base_chunks_item, at = _read_chunk_reference(data, at)
            f_base_chunks_items.append(f_base_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_base_chunks = tuple(f_base_chunks_items)
    f_layout_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_layout_item, at = _read_tensor_layout_2(data, at)
            f_layout_items.append(f_layout_item)
        if data[at]:
            raise Unusual
        at += 1
    f_layout = tuple(f_layout_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_layout_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_elements = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_chunk_elements = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_chunk_elements < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_opened_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_deadline_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_quorum = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_quorum < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_target = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_target < 1 << 31:
        raise Unusual
    (f_max_abs,) = _DOUBLE.unpack_from(data, at)
    if f_max_abs != f_max_abs:
        raise Unusual
    at += 8
    (f_max_norm,) = _DOUBLE.unpack_from(data, at)
    if f_max_norm != f_max_norm:
        raise Unusual
    at += 8
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_max_weight = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_fraction_bits = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_fraction_bits < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_kept_versions = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_kept_versions < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_rule = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_server_optimizer = data[at:end].decode()
    at = end
    f_optimizer_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_optimizer_chunks_item, at = _read_chunk_reference(data, at)
            f_optimizer_chunks_items.append(f_optimizer_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_optimizer_chunks = tuple(f_optimizer_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_window = _WINDOW_MODE[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_grace_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_max_staleness = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_staleness = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_seed = data[at:end]
    at = end
    (f_invited_fraction,) = _DOUBLE.unpack_from(data, at)
    if f_invited_fraction != f_invited_fraction:
        raise Unusual
    at += 8
    if data[at] > 1:
        raise Unusual
    f_partial = data[at] == 1
    at += 1
    f_encodings_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            zigzag = data[at]
            at += 1
            if zigzag > 0x7F:
                zigzag, at = rest_of_zigzag(zigzag, data, at)
            if zigzag & 1:
                raise Unusual
            end = at + (zigzag >> 1)
            f_encodings_item = data[at:end].decode()
            at = end
            f_encodings_items.append(f_encodings_item)
        if data[at]:
            raise Unusual
        at += 1
    f_encodings = tuple(f_encodings_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_agreement = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_training = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_terms = data[at:end].decode()
    at = end
    record = records.Round(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        status=f_status,
        base_version=f_base_version,
        base_digest=f_base_digest,
        base_chunks=f_base_chunks,
        layout=f_layout,
        layout_digest=f_layout_digest,
        num_elements=f_num_elements,
        chunk_elements=f_chunk_elements,
        opened_ms=f_opened_ms,
        deadline_ms=f_deadline_ms,
        quorum=f_quorum,
        target=f_target,
        max_abs=f_max_abs,
        max_norm=f_max_norm,
        max_weight=f_max_weight,
        fraction_bits=f_fraction_bits,
        kept_versions=f_kept_versions,
        rule=f_rule,
        server_optimizer=f_server_optimizer,
        optimizer_chunks=f_optimizer_chunks,
        window=f_window,
        grace_ms=f_grace_ms,
        max_staleness=f_max_staleness,
        staleness=f_staleness,
        seed=f_seed,
        invited_fraction=f_invited_fraction,
        partial=f_partial,
        encodings=f_encodings,
        agreement=f_agreement,
        training=f_training,
        terms=f_terms,
    )
    return record, at


def _fits_round_event_1(record: records.RoundEvent) -> bool:
    return record.transition in _ROUND_TRANSITION_1_SYMBOLS and record.reason == ""


def _write_round_event_1(record: records.RoundEvent, out: list[bytes]) -> None:
    f_task = record.task.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        _ROUND_TRANSITION_BYTES[record.transition.value],
        SMALL[n] if 0 <= (n := record.num_updates) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
    )


def _read_round_event_1(data: bytes, at: int) -> tuple[records.RoundEvent, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_transition = _ROUND_TRANSITION_1[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_updates = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_num_updates < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.RoundEvent(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        transition=f_transition,
        num_updates=f_num_updates,
        base_version=f_base_version,
    )
    return record, at


def _write_round_event_2(record: records.RoundEvent, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_reason = record.reason.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        _ROUND_TRANSITION_BYTES[record.transition.value],
        SMALL[n] if 0 <= (n := record.num_updates) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
    )


def _read_round_event_2(data: bytes, at: int) -> tuple[records.RoundEvent, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_transition = _ROUND_TRANSITION_2[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_num_updates = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_num_updates < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    record = records.RoundEvent(
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        transition=f_transition,
        num_updates=f_num_updates,
        base_version=f_base_version,
        reason=f_reason,
    )
    return record, at


def _write_sequenced_event(record: records.SequencedEvent, out: list[bytes]) -> None:
    f_previous_sha256 = record.previous_sha256
    out += (
        SMALL[n] if 0 <= (n := record.sequence) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_previous_sha256)) < NUM_SMALL else long_bytes(n),
        f_previous_sha256,
    )
    _write_audit_event(record.event, out)


def _read_sequenced_event(data: bytes, at: int) -> tuple[records.SequencedEvent, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_sequence = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_previous_sha256 = data[at:end]
    at = end
    f_event, at = _read_audit_event(data, at)
    record = records.SequencedEvent(
        sequence=f_sequence,
        previous_sha256=f_previous_sha256,
        event=f_event,
    )
    return record, at


def _write_set_aside(record: records.SetAside, out: list[bytes]) -> None:
    f_operator = record.operator.encode()
    f_item = record.item.encode()
    f_item_sha256 = record.item_sha256
    f_error = record.error.encode()
    out += (
        SMALL[n] if (n := len(f_operator)) < NUM_SMALL else long_bytes(n),
        f_operator,
        SMALL[n] if (n := len(f_item)) < NUM_SMALL else long_bytes(n),
        f_item,
        SMALL[n] if (n := len(f_item_sha256)) < NUM_SMALL else long_bytes(n),
        f_item_sha256,
        SMALL[n] if (n := len(f_error)) < NUM_SMALL else long_bytes(n),
        f_error,
    )


def _read_set_aside(data: bytes, at: int) -> tuple[records.SetAside, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_operator = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_item = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_item_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_error = data[at:end].decode()
    at = end
    record = records.SetAside(
        operator=f_operator,
        item=f_item,
        item_sha256=f_item_sha256,
        error=f_error,
    )
    return record, at


def _fits_task_1(record: records.Task) -> bool:
    return (
        all(_fits_tensor_layout_1(item) for item in record.layout)
        and record.version == 0
        and record.status == records.TaskStatus.RUNNING
        and record.reason == ""
    )


def _write_task_1(record: records.Task, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_specification = record.specification.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if (n := len(f_specification)) < NUM_SMALL else long_bytes(n),
        f_specification,
    )
    if record.layout:
        out.append(long_bytes(len(record.layout)))
        for layout_item in record.layout:
            _write_tensor_layout_1(layout_item, out)
    out.append(b"\0")
    f_base_digest = record.base_digest
    out += (
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_base_digest)) < NUM_SMALL else long_bytes(n),
        f_base_digest,
    )
    if record.base_chunks:
        out.append(long_bytes(len(record.base_chunks)))
        for base_chunks_item in record.base_chunks:
            _write_chunk_reference(base_chunks_item, out)
    out.append(b"\0")
    out.append(SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n))


def _read_task_1(data: bytes, at: int) -> tuple[records.Task, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_specification = data[at:end].decode()
    at = end
    f_layout_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_layout_item, at = _read_tensor_layout_1(data, at)
            f_layout_items.append(f_layout_item)
        if data[at]:
            raise Unusual
        at += 1
    f_layout = tuple(f_layout_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_base_digest = data[at:end]
    at = end
    f_base_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_base_chunks_item, at = _read_chunk_reference(data, at)
            f_base_chunks_items.append(f_base_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_base_chunks = tuple(f_base_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Task(
        task=f_task,
        specification=f_specification,
        layout=f_layout,
        base_version=f_base_version,
        base_digest=f_base_digest,
        base_chunks=f_base_chunks,
        created_ms=f_created_ms,
    )
    return record, at


def _write_task_2(record: records.Task, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_specification = record.specification.encode()
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if (n := len(f_specification)) < NUM_SMALL else long_bytes(n),
        f_specification,
    )
    if record.layout:
        out.append(long_bytes(len(record.layout)))
        for layout_item in record.layout:
            _write_tensor_layout_2(layout_item, out)
    out.append(b"\0")
    f_base_digest = record.base_digest
    out += (
        SMALL[n] if 0 <= (n := record.base_version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_base_digest)) < NUM_SMALL else long_bytes(n),
        f_base_digest,
    )
    if record.base_chunks:
        out.append(long_bytes(len(record.base_chunks)))
        for base_chunks_item in record.base_chunks:
            _write_chunk_reference(base_chunks_item, out)
    out.append(b"\0")
    f_reason = record.reason.encode()
    out += (
        SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        _TASK_STATUS_BYTES[record.status.value],
        SMALL[n] if (n := len(f_reason)) < NUM_SMALL else long_bytes(n),
        f_reason,
    )


def _read_task_2(data: bytes, at: int) -> tuple[records.Task, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_specification = data[at:end].decode()
    at = end
    f_layout_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_layout_item, at = _read_tensor_layout_2(data, at)
            f_layout_items.append(f_layout_item)
        if data[at]:
            raise Unusual
        at += 1
    f_layout = tuple(f_layout_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_base_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_base_digest = data[at:end]
    at = end
    f_base_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_base_chunks_item, at = _read_chunk_reference(data, at)
            f_base_chunks_items.append(f_base_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_base_chunks = tuple(f_base_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_status = _TASK_STATUS[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_reason = data[at:end].decode()
    at = end
    record = records.Task(
        task=f_task,
        specification=f_specification,
        layout=f_layout,
        base_version=f_base_version,
        base_digest=f_base_digest,
        base_chunks=f_base_chunks,
        created_ms=f_created_ms,
        version=f_version,
        status=f_status,
        reason=f_reason,
    )
    return record, at


def _write_variant(record: records.Variant, out: list[bytes]) -> None:
    f_task = record.task.encode()
    f_model_digest = record.model_digest
    f_name = record.name.encode()
    f_recipe = record.recipe.encode()
    f_builders = record.builders.encode()
    f_calibration_sha256 = record.calibration_sha256
    f_artefact_sha256 = record.artefact_sha256
    out += (
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.version) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_model_digest)) < NUM_SMALL else long_bytes(n),
        f_model_digest,
        SMALL[n] if (n := len(f_name)) < NUM_SMALL else long_bytes(n),
        f_name,
        SMALL[n] if (n := len(f_recipe)) < NUM_SMALL else long_bytes(n),
        f_recipe,
        SMALL[n] if (n := len(f_builders)) < NUM_SMALL else long_bytes(n),
        f_builders,
        SMALL[n] if (n := len(f_calibration_sha256)) < NUM_SMALL else long_bytes(n),
        f_calibration_sha256,
        SMALL[n] if (n := len(f_artefact_sha256)) < NUM_SMALL else long_bytes(n),
        f_artefact_sha256,
        SMALL[n] if 0 <= (n := record.artefact_bytes) < NUM_SMALL else long_bytes(n),
        b"\1" if record.deterministic else b"\0",
    )
    if record.chunks:
        out.append(long_bytes(len(record.chunks)))
        for chunks_item in record.chunks:
            _write_chunk_reference(chunks_item, out)
    out.append(b"\0")
    f_failure = record.failure.encode()
    out += (
        SMALL[n] if (n := len(f_failure)) < NUM_SMALL else long_bytes(n),
        f_failure,
        SMALL[n] if 0 <= (n := record.created_ms) < NUM_SMALL else long_bytes(n),
    )


def _read_variant(data: bytes, at: int) -> tuple[records.Variant, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_version = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_model_digest = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_name = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_recipe = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_builders = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_calibration_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_artefact_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_artefact_bytes = (zigzag >> 1) ^ -(zigzag & 1)
    if data[at] > 1:
        raise Unusual
    f_deterministic = data[at] == 1
    at += 1
    f_chunks_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_chunks_item, at = _read_chunk_reference(data, at)
            f_chunks_items.append(f_chunks_item)
        if data[at]:
            raise Unusual
        at += 1
    f_chunks = tuple(f_chunks_items)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_failure = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_created_ms = (zigzag >> 1) ^ -(zigzag & 1)
    record = records.Variant(
        task=f_task,
        version=f_version,
        model_digest=f_model_digest,
        name=f_name,
        recipe=f_recipe,
        builders=f_builders,
        calibration_sha256=f_calibration_sha256,
        artefact_sha256=f_artefact_sha256,
        artefact_bytes=f_artefact_bytes,
        deterministic=f_deterministic,
        chunks=f_chunks,
        failure=f_failure,
        created_ms=f_created_ms,
    )
    return record, at


def _fits_verdict_1(record: records.Verdict) -> bool:
    return record.reason in _REASON_1_SYMBOLS and record.scores == ()


def _write_verdict_1(record: records.Verdict, out: list[bytes]) -> None:
    f_source_topic = record.source_topic.encode()
    f_record_sha256 = record.record_sha256
    f_participant = record.participant.encode()
    f_task = record.task.encode()
    f_update_id = record.update_id.encode()
    out += (
        SMALL[n] if (n := len(f_source_topic)) < NUM_SMALL else long_bytes(n),
        f_source_topic,
        SMALL[n] if 0 <= (n := record.source_partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.source_offset) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.source_timestamp_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_record_sha256)) < NUM_SMALL else long_bytes(n),
        f_record_sha256,
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        _DECISION_BYTES[record.decision.value],
        _REASON_BYTES[record.reason.value],
        _DOUBLE.pack(record.norm),
        _DOUBLE.pack(record.max_abs),
    )


def _read_verdict_1(data: bytes, at: int) -> tuple[records.Verdict, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_source_topic = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_source_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_offset = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_timestamp_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_record_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_decision = _DECISION[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_reason = _REASON_1[zigzag >> 1]
    (f_norm,) = _DOUBLE.unpack_from(data, at)
    if f_norm != f_norm:
        raise Unusual
    at += 8
    (f_max_abs,) = _DOUBLE.unpack_from(data, at)
    if f_max_abs != f_max_abs:
        raise Unusual
    at += 8
    record = records.Verdict(
        source_topic=f_source_topic,
        source_partition=f_source_partition,
        source_offset=f_source_offset,
        source_timestamp_ms=f_source_timestamp_ms,
        record_sha256=f_record_sha256,
        participant=f_participant,
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        update_id=f_update_id,
        decision=f_decision,
        reason=f_reason,
        norm=f_norm,
        max_abs=f_max_abs,
    )
    return record, at


def _write_verdict_2(record: records.Verdict, out: list[bytes]) -> None:
    f_source_topic = record.source_topic.encode()
    f_record_sha256 = record.record_sha256
    f_participant = record.participant.encode()
    f_task = record.task.encode()
    f_update_id = record.update_id.encode()
    out += (
        SMALL[n] if (n := len(f_source_topic)) < NUM_SMALL else long_bytes(n),
        f_source_topic,
        SMALL[n] if 0 <= (n := record.source_partition) < NUM_SMALL else int_bytes(n),
        SMALL[n] if 0 <= (n := record.source_offset) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.source_timestamp_ms) < NUM_SMALL else long_bytes(n),
        SMALL[n] if (n := len(f_record_sha256)) < NUM_SMALL else long_bytes(n),
        f_record_sha256,
        SMALL[n] if (n := len(f_participant)) < NUM_SMALL else long_bytes(n),
        f_participant,
        SMALL[n] if (n := len(f_task)) < NUM_SMALL else long_bytes(n),
        f_task,
        SMALL[n] if 0 <= (n := record.round) < NUM_SMALL else long_bytes(n),
        SMALL[n] if 0 <= (n := record.attempt) < NUM_SMALL else int_bytes(n),
        SMALL[n] if (n := len(f_update_id)) < NUM_SMALL else long_bytes(n),
        f_update_id,
        _DECISION_BYTES[record.decision.value],
        _REASON_BYTES[record.reason.value],
        _DOUBLE.pack(record.norm),
        _DOUBLE.pack(record.max_abs),
    )
    if record.scores:
        out.append(long_bytes(len(record.scores)))
        for scores_item in record.scores:
            _write_score(scores_item, out)
    out.append(b"\0")


def _read_verdict_2(data: bytes, at: int) -> tuple[records.Verdict, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_source_topic = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_partition = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_source_partition < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_offset = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_source_timestamp_ms = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_record_sha256 = data[at:end]
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_participant = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_task = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_round = (zigzag >> 1) ^ -(zigzag & 1)
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    f_attempt = (zigzag >> 1) ^ -(zigzag & 1)
    if not -(1 << 31) <= f_attempt < 1 << 31:
        raise Unusual
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_update_id = data[at:end].decode()
    at = end
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_decision = _DECISION[zigzag >> 1]
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    f_reason = _REASON_2[zigzag >> 1]
    (f_norm,) = _DOUBLE.unpack_from(data, at)
    if f_norm != f_norm:
        raise Unusual
    at += 8
    (f_max_abs,) = _DOUBLE.unpack_from(data, at)
    if f_max_abs != f_max_abs:
        raise Unusual
    at += 8
    f_scores_items: list[Any] = []
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    if zigzag:
        if zigzag >> 1 > len(data) - at:
            raise Unusual
        for _ in range(zigzag >> 1):
            f_scores_item, at = _read_score(data, at)
            f_scores_items.append(f_scores_item)
        if data[at]:
            raise Unusual
        at += 1
    f_scores = tuple(f_scores_items)
    record = records.Verdict(
        source_topic=f_source_topic,
        source_partition=f_source_partition,
        source_offset=f_source_offset,
        source_timestamp_ms=f_source_timestamp_ms,
        record_sha256=f_record_sha256,
        participant=f_participant,
        task=f_task,
        round=f_round,
        attempt=f_attempt,
        update_id=f_update_id,
        decision=f_decision,
        reason=f_reason,
        norm=f_norm,
        max_abs=f_max_abs,
        scores=f_scores,
    )
    return record, at


def _write_score(record: records.Score, out: list[bytes]) -> None:
    f_name = record.name.encode()
    out += (
        SMALL[n] if (n := len(f_name)) < NUM_SMALL else long_bytes(n),
        f_name,
        _DOUBLE.pack(record.value),
    )


def _read_score(data: bytes, at: int) -> tuple[records.Score, int]:
    zigzag = data[at]
    at += 1
    if zigzag > 0x7F:
        zigzag, at = rest_of_zigzag(zigzag, data, at)
    if zigzag & 1:
        raise Unusual
    end = at + (zigzag >> 1)
    f_name = data[at:end].decode()
    at = end
    (f_value,) = _DOUBLE.unpack_from(data, at)
    if f_value != f_value:
        raise Unusual
    at += 8
    record = records.Score(
        name=f_name,
        value=f_value,
    )
    return record, at


FITS: dict[type, tuple[Callable[[Any], bool] | None, ...]] = {
    records.AcceptedUpdate: (None,),
    records.Agreement: (_fits_agreement_1, None),
    records.AuditEvent: (None,),
    records.EnrolmentRequest: (_fits_enrolment_request_1, None),
    records.EnrolmentToken: (_fits_enrolment_token_1, None),
    records.Envelope: (None,),
    records.Failure: (None,),
    records.Fencing: (None,),
    records.Heartbeat: (None,),
    records.InferenceRequest: (None,),
    records.InferenceResults: (None,),
    records.InferenceSummary: (None,),
    records.InputGap: (None,),
    records.Lease: (None,),
    records.Measurement: (None,),
    records.ModelManifest: (_fits_model_manifest_1, None),
    records.ModelUpdate: (_fits_model_update_1, None),
    records.OperatorAct: (None,),
    records.OverRate: (None,),
    records.Participant: (_fits_participant_1, None),
    records.Promotion: (_fits_promotion_1, None),
    records.PublishedModel: (None,),
    records.Receipt: (None,),
    records.Release: (_fits_release_1, None),
    records.Round: (_fits_round_1, None),
    records.RoundEvent: (_fits_round_event_1, None),
    records.SequencedEvent: (None,),
    records.SetAside: (None,),
    records.Task: (_fits_task_1, None),
    records.Variant: (None,),
    records.Verdict: (_fits_verdict_1, None),
}
"""Of each record, by version from the first, the function: whether it holds a record; None: it holds all."""

WRITERS: dict[type, tuple[Callable[[Any, list[bytes]], None], ...]] = {
    records.AcceptedUpdate: (_write_accepted_update,),
    records.Agreement: (_write_agreement_1, _write_agreement_2),
    records.AuditEvent: (_write_audit_event,),
    records.EnrolmentRequest: (_write_enrolment_request_1, _write_enrolment_request_2),
    records.EnrolmentToken: (_write_enrolment_token_1, _write_enrolment_token_2),
    records.Envelope: (_write_envelope,),
    records.Failure: (_write_failure,),
    records.Fencing: (_write_fencing,),
    records.Heartbeat: (_write_heartbeat,),
    records.InferenceRequest: (_write_inference_request,),
    records.InferenceResults: (_write_inference_results,),
    records.InferenceSummary: (_write_inference_summary,),
    records.InputGap: (_write_input_gap,),
    records.Lease: (_write_lease,),
    records.Measurement: (_write_measurement,),
    records.ModelManifest: (_write_model_manifest_1, _write_model_manifest_2),
    records.ModelUpdate: (_write_model_update_1, _write_model_update_2),
    records.OperatorAct: (_write_operator_act,),
    records.OverRate: (_write_over_rate,),
    records.Participant: (_write_participant_1, _write_participant_2),
    records.Promotion: (_write_promotion_1, _write_promotion_2),
    records.PublishedModel: (_write_published_model,),
    records.Receipt: (_write_receipt,),
    records.Release: (_write_release_1, _write_release_2),
    records.Round: (_write_round_1, _write_round_2),
    records.RoundEvent: (_write_round_event_1, _write_round_event_2),
    records.SequencedEvent: (_write_sequenced_event,),
    records.SetAside: (_write_set_aside,),
    records.Task: (_write_task_1, _write_task_2),
    records.Variant: (_write_variant,),
    records.Verdict: (_write_verdict_1, _write_verdict_2),
}
"""Of each record, by version from the first, the function: appends a record's bytes to a list."""

READERS: dict[type, tuple[Callable[[bytes, int], tuple[Any, int]], ...]] = {
    records.AcceptedUpdate: (_read_accepted_update,),
    records.Agreement: (_read_agreement_1, _read_agreement_2),
    records.AuditEvent: (_read_audit_event,),
    records.EnrolmentRequest: (_read_enrolment_request_1, _read_enrolment_request_2),
    records.EnrolmentToken: (_read_enrolment_token_1, _read_enrolment_token_2),
    records.Envelope: (_read_envelope,),
    records.Failure: (_read_failure,),
    records.Fencing: (_read_fencing,),
    records.Heartbeat: (_read_heartbeat,),
    records.InferenceRequest: (_read_inference_request,),
    records.InferenceResults: (_read_inference_results,),
    records.InferenceSummary: (_read_inference_summary,),
    records.InputGap: (_read_input_gap,),
    records.Lease: (_read_lease,),
    records.Measurement: (_read_measurement,),
    records.ModelManifest: (_read_model_manifest_1, _read_model_manifest_2),
    records.ModelUpdate: (_read_model_update_1, _read_model_update_2),
    records.OperatorAct: (_read_operator_act,),
    records.OverRate: (_read_over_rate,),
    records.Participant: (_read_participant_1, _read_participant_2),
    records.Promotion: (_read_promotion_1, _read_promotion_2),
    records.PublishedModel: (_read_published_model,),
    records.Receipt: (_read_receipt,),
    records.Release: (_read_release_1, _read_release_2),
    records.Round: (_read_round_1, _read_round_2),
    records.RoundEvent: (_read_round_event_1, _read_round_event_2),
    records.SequencedEvent: (_read_sequenced_event,),
    records.SetAside: (_read_set_aside,),
    records.Task: (_read_task_1, _read_task_2),
    records.Variant: (_read_variant,),
    records.Verdict: (_read_verdict_1, _read_verdict_2),
}
"""Of each record, by version from the first, the function: reads it."""
