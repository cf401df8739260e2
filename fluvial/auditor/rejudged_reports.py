"""Takes verdicts on participants' measurements again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fluvial.admission.case import Case
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import check_routing
from fluvial.admission.judgement import Fault
from fluvial.admission.report import MAX_CLASSES, check_ranges, named, read_report
from fluvial.auditor.judged_records import JudgedRecords
from fluvial.auditor.key_lives import KeyLife
from fluvial.auditor.keys import Keys
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.rejudged import NAMELESS, OF_THE_BYTES, Rejudged, case_of, form, names
from fluvial.auditor.rejudged_rates import RejudgedRates
from fluvial.wire.records import Decision, Measurement, Reason, Verdict


class RejudgedReports(Rejudged):
    """rates: takes what was too much. judged: what the leaves say of other records."""

    def __init__(
        self, keys: Keys, on_trust: Counter[str], scope: str, rates: RejudgedRates, judged: JudgedRecords
    ) -> None:
        super().__init__(keys, on_trust, scope)
        self._rates, self._judged = rates, judged

    def report(self, record: TopicRecord, verdict: Verdict, sequence: int | None) -> str:
        """Why a verdict on a record of topic reports cannot be; empty where it can."""
        case = case_of(record, self._scope)
        if why := form(verdict, case):
            return why
        if verdict.reason is Reason.OVER_RATE:
            return self._rates.refused(case, verdict)
        fault = open_envelope(case) or check_routing(case)
        signers = [] if fault else self._signers(case)
        report = fault or read_report(case)
        judged = names(verdict)
        if verdict.reason in OF_THE_BYTES:
            if judged != NAMELESS:
                return f"its verdict names a variant, yet is {verdict.reason}"
            return self._of_the_bytes(case, report if isinstance(report, Fault) else None, signers, verdict)
        if isinstance(report, Fault):
            if verdict.decision is Decision.ACCEPT:
                return f"was accepted, but is no measurement of {verdict.participant}: {report.reason}"
            self._trust(verdict)
            return "its verdict names a variant, which the record does not" if judged != NAMELESS else ""
        called = report.variant, named(report)
        if judged not in (*((report.task, report.version, 0, name) for name in called), NAMELESS):
            return "its verdict names another variant than was signed"
        if verdict.decision is Decision.ACCEPT:
            return self._admitted(case, report, signers, verdict)
        accepted = self._accepted(record.topic, report)
        match verdict.reason:
            case Reason.DUPLICATE_IGNORED:
                holds = sequence is None or any(verdict.record_sha256 in digests for digests in accepted.values())
            case Reason.EQUIVOCATION:
                others = accepted.get(verdict.update_id or report.variant, set()) - {verdict.record_sha256}
                holds = sequence is None or bool(others) or len(accepted) >= MAX_CLASSES
            case Reason.OUT_OF_RANGE:
                holds = check_ranges(report) is not None
            case _:
                self._trust(verdict)
                return ""
        return "" if holds else f"was refused as {verdict.reason}, which the log refutes"

    def _admitted(self, case: Case, report: Measurement, signers: list[KeyLife], verdict: Verdict) -> str:
        if not any(life.may_have_signed(case.source.timestamp_ms) for life in signers):
            return f"was accepted, but no key of {verdict.participant} in force signed it"
        if check_ranges(report) is not None:
            return "was accepted, but has numbers that no measurement gives"
        accepted = self._accepted(case.source.topic, report)
        if len(accepted.get(verdict.update_id or report.variant, set())) > 1:
            return "was accepted, as another of its variant was"
        return "was accepted, on more classes of processors than one may measure" if len(accepted) > MAX_CLASSES else ""

    def _accepted(self, topic: str, report: Measurement) -> Mapping[str, set[bytes]]:
        """Digests of the measurements of the same variant by the same participant that were accepted, by name."""
        return self._judged.measurements(topic, report.measurer, report.task, report.version, report.variant)
