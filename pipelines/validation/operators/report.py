"""Flink function of participants' measurements: it emits verdicts, and hands on what was admitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from governance.admission import gate
from governance.admission.reports import Admitted, ReportJudgement, judge_report, subject_of
from pipelines.config import Settings
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, sink_frame
from pipelines.validation.known import source_of
from pipelines.validation.operators.holding import HoldsUnhandled
from pipelines.validation.record_life import Concluded
from pipelines.validation.verdict_frames import verdict_frames


class Report(HoldsUnhandled):
    """One verdict for each measurement; an admitted one goes to topic admitted-reports with the very bytes that its
    participant signed. Output: bundles of sink frames.

    A participant's records are all on one lane, so what it had accepted is told before its next one is judged. It is
    in memory, and read again from the verdicts when the process starts."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "reports")

    def _begin(self, ctx: Any) -> None:
        self._frames: list[bytes] = []

    def _results(self, ctx: Any) -> Iterator[bytes]:
        return iter([pack_bundle(Kind.SINK, self._frames)] if self._frames else [])

    # The lane's desk.

    def judge(self, records: Sequence[SourceRecord]) -> Iterator[ReportJudgement]:
        return self.one_by_one(records, self._judge)

    def _judge(self, records: Sequence[SourceRecord]) -> Iterator[ReportJudgement]:
        for record in records:
            source = source_of(record, self._topic)
            seen, scope = self._judged.reports, self._topics.scope
            yield judge_report(record.value, source, registry=self._trusted, seen=seen, scope=scope)

    def conclude(self, needs: gate.NeedsEvidence, findings: Sequence[gate.Finding]) -> Concluded:
        raise NotImplementedError("a measurement waits for no evidence")

    def settled(self, record: SourceRecord, outcome: Admitted | gate.Refused) -> None:
        if isinstance(outcome, Admitted):
            self._judged.reports.accept(subject_of(outcome.verdict), outcome.verdict.record_sha256)
            key = outcome.report.task.encode()
            self._frames.append(sink_frame(self._topics.admitted_reports, key, record.value))
        self._frames += verdict_frames(self._topics, outcome.verdict, record.value)
