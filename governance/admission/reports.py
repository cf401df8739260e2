"""The gate of participants' measurements: raw bytes in, exactly one judgement out, as for updates.

Steps, the first failing one decides:

1. to 4.: size, framing, identity, signature and revocation, as of an update.
5. decode: the verified bytes are a canonical Measurement, of the signer.
6. repeat: bytes accepted before are a duplicate; others of the same variant on the same class of processors an
   equivocation, and so is a variant on more classes than anybody has: one measurement for each participant, variant and
   class, because a participant may have devices of several.
7. asked: the task is known, asks participants to measure, and names the variant.
8. agreement: the task's, signed by the participant, not withdrawn by the record's broker time, and in force.
9. artefact: the variant was built, and these are its bytes.
10. ranges: every number is one that a measurement can give.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Protocol

from fluvial.admission.agreement import check_agreement
from fluvial.admission.case import Case, refusal
from fluvial.admission.decisions import QUARANTINED
from fluvial.admission.judgement import Fault, Parked, Refused, Source
from fluvial.admission.report import MAX_CLASSES, check_ranges, named, open_report, read_report
from fluvial.admission.views import RegistryView
from fluvial.wire.records import Measurement, Reason, Task, Verdict
from fluvial.wire.task_file import TaskFile
from governance.admission.signature import check_signatures

Subject = tuple[str, str, int, str]
"""Participant, task, version, and the measurement's name: of which there is one."""


class ArtefactsView(RegistryView, Protocol):
    """The verified registry, and the variants that acceleration signed."""

    def artefact(self, task: str, version: int, variant: str, /) -> bytes | None:
        """SHA-256 of the artefact, 32 bytes; empty of a variant that could not be built, None of one that is not
        heard of."""


class ReportsSeen:
    """What was accepted: SHA-256 of the records, by subject."""

    def __init__(self) -> None:
        self._accepted: dict[Subject, bytes] = {}
        self._classes: Counter[Subject] = Counter()

    def accept(self, subject: Subject, record_sha256: bytes) -> None:
        """Of a subject the first stands."""
        if subject not in self._accepted:
            self._accepted[subject] = record_sha256
            self._classes[_of_variant(subject)] += 1

    def accepted(self, subject: Subject) -> bytes | None:
        """SHA-256 of the record that was accepted."""
        return self._accepted.get(subject)

    def num_classes(self, subject: Subject) -> int:
        """On how many classes of processors the participant has measured the subject's variant."""
        return self._classes[_of_variant(subject)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Accepted: the measurement counts."""

    verdict: Verdict
    report: Measurement


ReportJudgement = Refused | Parked | Admitted


def judge_report(
    raw: bytes, source: Source, *, registry: ArtefactsView, seen: ReportsSeen, scope: str = ""
) -> ReportJudgement:
    """Exactly one judgement of a record of the topic reports. Changes nothing. Hostile bytes never raise."""
    case = Case.of(raw, source, QUARANTINED, scope)
    fault = open_report(case, registry)  # 1 to 3.
    if fault is None:
        check_signatures([case])  # 4.
        fault = case.fault
    if fault is not None:
        return refusal(case, fault)
    report = read_report(case)  # 5.
    if isinstance(report, Fault):
        return refusal(case, report)
    fault = (
        _check_repeat(report, case.record_sha256, seen)  # 6.
        or _check_asked(report, case, registry)  # 7, 8.
        or _check_artefact(report, registry)  # 9.
        or check_ranges(report)  # 10.
    )
    if fault is None:
        return Admitted(verdict=_named(case.verdict(Reason.ACCEPTED), report), report=report)
    refused = refusal(case, fault)
    return replace(refused, verdict=_named(refused.verdict, report))


def subject_of(verdict: Verdict) -> Subject:
    """What a verdict on a measurement is about."""
    return verdict.participant, verdict.task, verdict.round, verdict.update_id


def _named(verdict: Verdict, report: Measurement) -> Verdict:
    """With the measurement's names in the places that an update's have: the version as the round, the variant and the
    class of processors as the id."""
    return replace(verdict, task=report.task, round=report.version, update_id=named(report))


def _of_variant(subject: Subject) -> Subject:
    participant, task, version, name = subject
    return participant, task, version, name.partition("/")[0]


def _check_repeat(report: Measurement, record_sha256: bytes, seen: ReportsSeen) -> Fault | None:
    subject = report.measurer, report.task, report.version, named(report)
    accepted = seen.accepted(subject)
    if record_sha256 in (accepted, seen.accepted(_of_variant(subject))):  # in force, or accepted by a former release
        return Fault(reason=Reason.DUPLICATE_IGNORED)
    if accepted is not None or seen.num_classes(subject) >= MAX_CLASSES:
        return Fault(reason=Reason.EQUIVOCATION)
    return None


def _check_asked(report: Measurement, case: Case, registry: ArtefactsView) -> Fault | None:
    task = registry.task(report.task)
    if task is None:
        return Fault(reason=Reason.TASK_UNKNOWN, waits=True)
    terms = _terms(task)
    spec = None if terms is None else terms.acceleration
    if terms is None or spec is None or not spec.participants_measure or spec.variant(report.variant) is None:
        return Fault(reason=Reason.NOT_ASKED)
    agreement = "" if terms.agreement is None else terms.agreement.name
    at_ms = case.source.timestamp_ms
    return check_agreement(case.participant, agreement, registry, at_ms, at_ms)


def _check_artefact(report: Measurement, registry: ArtefactsView) -> Fault | None:
    artefact = registry.artefact(report.task, report.version, report.variant)
    if artefact is None:
        return Fault(reason=Reason.ARTEFACT_UNKNOWN, waits=True)
    return None if artefact == report.artefact_sha256 else Fault(reason=Reason.ARTEFACT_UNKNOWN)


def _terms(task: Task) -> TaskFile | None:
    """None for a task whose file cannot be read; it does not run either."""
    try:
        return TaskFile.model_validate_json(task.specification)
    except ValueError:
        return None
