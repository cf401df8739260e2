"""A participant's measurement by itself: what can be said of it without the log.

Nobody can measure again what a participant measured on its own data. So the ranges are those that any measurement
keeps, and what a liar can do within them is bounded elsewhere: medians over participants, and how many must measure.
"""

from __future__ import annotations

from math import isfinite

from fluvial.admission.case import Case
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import find_participant
from fluvial.admission.judgement import Fault
from fluvial.admission.payload import DIGEST_BYTES, read_payload
from fluvial.admission.size import check_size
from fluvial.admission.views import RegistryView
from fluvial.wire.names import is_name
from fluvial.wire.processors import is_processor_class
from fluvial.wire.promotion_policy import LEAST_PUBLISHED
from fluvial.wire.records import GroupCounts, Measurement, MetricDrop, Reason

MAX_REPORT_BYTES = 256 << 10
MAX_COMPARISONS = 500
"""Counts and drops of one measurement: metrics times groups."""

OWN = "own"
"""What `Measurement.data` says of a participant's own data."""

MAX_CLASSES = 8
"""Classes of processors that a participant may measure a variant on: each is a decision that may have to be made."""

_MAX_CHARACTERS = 128
_MAX_EXAMPLES = 1 << 32
_LEAST_CALLS_FOR_P99 = 10_000


def open_report(case: Case, registry: RegistryView) -> Fault | None:
    """Steps 1 to 3: size, framing, identity."""
    return check_size(case.raw, MAX_REPORT_BYTES) or open_envelope(case) or find_participant(case, registry)


def named(report: Measurement) -> str:
    """What a verdict calls a measurement, where it names an update: its variant and class of processors. A participant
    has one of each. Of a class that nobody knows the variant alone, which was the name in former releases."""
    return f"{report.variant}/{report.processor}" if is_processor_class(report.processor) else report.variant


def read_report(case: Case) -> Measurement | Fault:
    """Step 5: the measurement, which the participant has signed as its own."""
    report = read_payload(case.envelope, Measurement, case.scope)
    if isinstance(report, Fault):
        return report
    names = report.task, report.variant, report.measurer
    if not all(is_name(name) for name in names) or report.version < 0 or len(report.artefact_sha256) != DIGEST_BYTES:
        return Fault(reason=Reason.DECODE)
    if report.measurer != case.claimed:
        return Fault(reason=Reason.PARTICIPANT_MISMATCH)
    return report


def check_ranges(report: Measurement) -> Fault | None:
    """OUT_OF_RANGE unless every number is one that a measurement can give: groups of fewer than ten examples are not
    there, which would tell of somebody; no group has more examples than there are; percentiles are in order."""
    places = [(counts.metric, counts.group) for counts in report.counts]
    places += [(drop.metric, drop.group) for drop in report.drops]
    fits = (
        report.data == OWN
        and not report.data_sha256
        and LEAST_PUBLISHED <= report.num_examples <= _MAX_EXAMPLES
        and 1 <= report.threads <= 4096
        and 1 <= report.batch <= 1 << 20
        and report.calls >= 1
        and _is_plain(report.runtime)
        and is_processor_class(report.processor)
        and 1 <= len(places) <= MAX_COMPARISONS
        and len(set(places)) == len(places)
        and all(_counts_fit(counts, report.num_examples) for counts in report.counts)
        and all(_drop_fits(drop, report.num_examples) for drop in report.drops)
        and _timing_fits(report)
    )
    return None if fits else Fault(reason=Reason.OUT_OF_RANGE)


def _counts_fit(counts: GroupCounts, num_examples: int) -> bool:
    numbers = counts.both, counts.harmed, counts.helped, counts.neither
    kind, _, label = counts.metric.partition(":")
    known = (kind in ("accuracy", "agreement") and not label) or (kind == "recall" and bool(label))
    return (
        known
        and _is_plain(counts.metric)
        and _is_plain(counts.group)
        and min(numbers) >= 0
        and LEAST_PUBLISHED <= sum(numbers) <= num_examples
        and (kind != "agreement" or counts.helped == counts.neither == 0)
    )


def _drop_fits(drop: MetricDrop, num_examples: int) -> bool:
    return (
        _is_plain(drop.metric)
        and _is_plain(drop.group)
        and LEAST_PUBLISHED <= drop.num_examples <= num_examples
        and all(isfinite(number) for number in (drop.value, drop.drop, drop.bound))
        and drop.bound >= drop.drop
        and 0.0 <= drop.p_value <= 1.0
    )


def _timing_fits(report: Measurement) -> bool:
    p50, p95, p99 = report.latency_p50_us, report.latency_p95_us, report.latency_p99_us
    amounts = p50, p95, p99, report.throughput, report.processor_us, report.joules
    return (
        all(isfinite(amount) and amount >= 0 for amount in amounts)
        and p50 <= p95
        and (p99 == 0.0 or (p95 <= p99 and report.calls >= _LEAST_CALLS_FOR_P99))
        and report.peak_memory_bytes >= 0
    )


def _is_plain(text: str) -> bool:
    """Free text that reaches decisions and the audit log: short, one printable line."""
    return 1 <= len(text) <= _MAX_CHARACTERS and text.isprintable()
