"""Takes verdicts on enrolment requests again."""

from __future__ import annotations

from collections import Counter

from fluvial.admission.judgement import Fault
from fluvial.admission.request import is_ahead, read_request
from fluvial.auditor.judged_records import JudgedRecords
from fluvial.auditor.keys import Keys
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.rejudged import NAMELESS, OF_THE_BYTES, Rejudged, case_of, form, names
from fluvial.wire.records import Decision, Reason, Verdict


class RejudgedRequests(Rejudged):
    """judged: what the leaves say of other records."""

    def __init__(self, keys: Keys, on_trust: Counter[str], scope: str, judged: JudgedRecords) -> None:
        super().__init__(keys, on_trust, scope)
        self._judged = judged

    def request(self, record: TopicRecord, verdict: Verdict, sequence: int | None) -> str:
        """Why a verdict on a record of topic enrolments cannot be; empty where it can."""
        case = case_of(record, self._scope)
        if why := form(verdict, case):
            return why
        request = read_request(case)
        if names(verdict) != NAMELESS:
            return "its verdict names a round, which an enrolment has not"
        if verdict.decision is Decision.ACCEPT:
            if isinstance(request, Fault):
                return f"was accepted, but is no enrolment request: {request.reason}"
            if sequence is not None and not self._keys.enrolled(verdict.record_sha256, request.public_key):
                return "was accepted, but neither log nor registry holds what it enrols"
            return ""
        if verdict.reason is Reason.DUPLICATE_IGNORED:
            digest = verdict.record_sha256
            known = (
                sequence is None or self._keys.knows_request(digest) or self._judged.has_accepted(record.topic, digest)
            )
            return "" if known else "was refused as a repeat, but nothing with its bytes was accepted"
        if verdict.reason is Reason.REQUEST_OUTDATED and not isinstance(request, Fault) and sequence is not None:
            is_earlier = request.requested_ms <= self._keys.owner(request.participant).requested_ms
            return "" if is_earlier else "was refused as REQUEST_OUTDATED, but no later request was accepted"
        if verdict.reason is Reason.OUT_OF_RANGE and not isinstance(request, Fault):
            ahead = is_ahead(request, record.timestamp_ms)
            return "" if ahead else "was refused as OUT_OF_RANGE, but is not dated ahead of the broker"
        if verdict.reason in OF_THE_BYTES:
            in_order = not isinstance(request, Fault)
            return f"was refused as {verdict.reason}, though it is in order" if in_order else ""
        self._trust(verdict)
        return ""
