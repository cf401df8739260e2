"""An enrolment request by itself: what can be said of it without the registry.

It is the one record that is decoded before its signature is verified, because it brings its own key.
"""

from __future__ import annotations

from fluvial.admission.case import Case
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import check_routing
from fluvial.admission.judgement import Fault
from fluvial.admission.payload import read_payload
from fluvial.admission.size import check_size
from fluvial.identity.envelope import verify_envelope
from fluvial.identity.keys import is_acceptable
from fluvial.wire.names import MAX_TOKEN_CHARACTERS, is_name
from fluvial.wire.records import DeviceProfile, EnrolmentRequest, Reason

MAX_ENROLMENT_BYTES = 16 << 10

MOST_AHEAD_MS = 24 * 3_600_000
"""How far a request may be dated ahead of the broker's clock: each must be later than the participant's last, so one
dated to the end of time, by a clock that is wrong or by whoever has the key, would be the last for good."""

_MAX_DEVICE_CHARACTERS = 128


def read_request(case: Case) -> EnrolmentRequest | Fault:
    """Steps 1 to 4: the request, signed by the key that it brings."""
    fault = (
        check_size(case.raw, MAX_ENROLMENT_BYTES)  # 1. Size.
        or open_envelope(case)  # 2. Framing.
        or check_routing(case)
    )
    if fault is not None:
        return fault
    # 3. Decode.
    request = read_payload(case.envelope, EnrolmentRequest, case.scope)
    if isinstance(request, Fault):
        return request
    if not _is_well_formed(request):
        return Fault(reason=Reason.DECODE)
    if request.participant != case.envelope.signatures[0].keyid:
        return Fault(reason=Reason.PARTICIPANT_MISMATCH)
    # 4. Signature.
    if not is_acceptable(request.public_key) or not verify_envelope(case.envelope, request.public_key):
        return Fault(reason=Reason.SIGNATURE)
    return request


def is_ahead(request: EnrolmentRequest, at_ms: int) -> bool:
    """Whether it is dated so far ahead that no request could follow. at_ms: its broker time."""
    return request.requested_ms > at_ms + MOST_AHEAD_MS


def _is_well_formed(request: EnrolmentRequest) -> bool:
    return (
        is_name(request.participant)
        and len(request.token) <= MAX_TOKEN_CHARACTERS
        and all(is_name(signed.agreement) for signed in request.agreements)
        and all(is_name(name) for name in request.withdrawn)
        and not {signed.agreement for signed in request.agreements} & set(request.withdrawn)
        and _is_plain(request.device)
    )


def _is_plain(device: DeviceProfile) -> bool:
    """The device's names are free text that reaches the registry and the audit log: short, one printable line."""
    words = (device.platform, device.machine, device.accelerator, device.network)
    return device.memory_bytes >= 0 and all(
        len(word) <= _MAX_DEVICE_CHARACTERS and word.isprintable() for word in words
    )
