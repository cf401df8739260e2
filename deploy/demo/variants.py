"""What the demonstration shows of acceleration: the variants of the last model, what was measured, what was decided.

Read from the topics variants, measurements and promotions, each record believed for its signature alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from fluvial.identity.federation import Federation
from fluvial.inference.releases import KINDS, Releases
from fluvial.kafka import Reader, Transport
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.promotion_policy import ERRORS
from fluvial.wire.records import GroupFinding, Measurement, Promotion, PromotionDecision, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """A variant of the last model. verdict: HELD, PROMOTED or UNDECIDED. latency_us: median of one example. throughput:
    examples a second. accuracy: share; worst_group: the comparison that decided, in words."""

    name: str
    verdict: str
    reason: str
    bytes: int
    latency_us: float
    throughput: float
    accuracy: float
    worst_group: str
    processor: str


class VariantObserver:
    """Follows the three topics of acceleration. Used by one thread. Raises TransportUnavailable, TransportFailed."""

    def __init__(self, federation: Federation, transport: Transport, task: str, spec: AccelerationSpec) -> None:
        self._key, self._scope = bytes.fromhex(federation.aggregator_key), federation.topics.scope
        self._task, self._spec = task, spec
        self._readers: dict[str, Reader] = {name: transport.read(getattr(federation.topics, name)) for name in KINDS}
        self._releases = Releases()

    def poll(self, timeout: float) -> bool:
        """Take in what has arrived. Says whether there was news."""
        news = False
        for name, reader in self._readers.items():
            for message in reader.poll(timeout / len(self._readers)):
                if message.value is not None:
                    news |= self._take(name, message.value)
        return news

    def close(self) -> None:
        """Releases the connections."""
        for reader in self._readers.values():
            reader.close()

    def is_decided(self, version: int) -> bool:
        """Whether something was decided on every variant of a version."""
        return all(self._fate(version, variant.name) for variant in self._spec.built_at_once)

    def promoted(self) -> set[tuple[int, str]]:
        """Versions and variants that were promoted."""
        return {
            (promotion.version, promotion.variant)
            for promotion in self._releases.promotions(self._task)
            if promotion.decision is PromotionDecision.PROMOTED
        }

    def rows(self, version: int) -> list[VariantRow]:
        """The variants of a version in the order of the task's terms."""
        return [row for spec in self._spec.variants if (row := self._row(version, spec.name)) is not None]

    def _take(self, topic: str, value: bytes) -> bool:
        try:
            self._releases.take(topic, value, self._key, self._scope)
        except FluvialError:
            return False
        return True

    def _decision(self, version: int, name: str) -> Promotion | None:
        """The newest decision on a variant; the demonstration has one class of processors."""
        of = version, name
        found = [each for each in self._releases.promotions(self._task) if (each.version, each.variant) == of]
        return found[-1] if found else None

    def _fate(self, version: int, name: str) -> Promotion | Variant | None:
        """The decision on a variant, or the variant itself where it could not be built."""
        variant = self._releases.variant(self._task, version, name)
        return self._decision(version, name) or (variant if variant is not None and variant.failure else None)

    def _row(self, version: int, name: str) -> VariantRow | None:
        variant, promotion = self._releases.variant(self._task, version, name), self._decision(version, name)
        measurements = self._releases.measurements(self._task, version, name)
        if variant is None or not measurements or promotion is None:
            return None
        measurement = measurements[0]
        return VariantRow(
            name=name,
            verdict=promotion.decision.value,
            reason=promotion.reason,
            bytes=variant.artefact_bytes,
            latency_us=measurement.latency_p50_us,
            throughput=measurement.throughput,
            accuracy=_accuracy(measurement),
            worst_group=_in_words(promotion.findings[0], self._spec) if promotion.findings else "",
            processor=promotion.processor,
        )


def _accuracy(measurement: Measurement) -> float:
    """The variant's share of right answers, all groups together."""
    for counts in measurement.counts:
        if (counts.metric, counts.group) == ("accuracy", "all"):
            return (counts.both + counts.helped) / (counts.both + counts.harmed + counts.helped + counts.neither)
    return 0.0


def _in_words(finding: GroupFinding, spec: AccelerationSpec) -> str:
    metric, _, label = finding.metric.partition(":")
    who = [
        spec.class_names.get(label, label),
        "" if finding.group == "all" else spec.group_names.get(finding.group, finding.group),
    ]
    where = " ".join(part for part in (metric, "of" if any(who) else "", *who) if part)
    return (
        f"{where}: {finding.drop:+.4g}" if finding.metric in ERRORS else f"{where}: {-100 * finding.drop:+.1f} points"
    )


def variants_table(rows: Sequence[VariantRow]) -> Table:
    """For people. Verdicts have their reasons below the table (`reasons_of`)."""
    table = Table(title="Variants of the last model", title_justify="left")
    for name in ("variant", "verdict", "bytes", "latency", "examples/s", "accuracy", "worst group"):
        table.add_column(name, justify="left" if name in ("variant", "verdict", "worst group") else "right")
    for row in rows:
        style = {"HELD": "red", "PROMOTED": "green"}.get(row.verdict, "yellow")
        cells = (f"{row.bytes:,}", f"{row.latency_us:.0f} µs", f"{row.throughput:,.0f}", f"{100 * row.accuracy:.2f} %")
        table.add_row(row.name, f"[{style}]{row.verdict}[/]", *cells, row.worst_group)
    return table


def shortfalls_of(rows: Sequence[VariantRow], spec: AccelerationSpec) -> Iterable[str]:
    """What the variants of the demonstration did not show."""
    verdicts = {row.verdict for row in rows}
    missing = {variant.name for variant in spec.built_at_once} - {row.name for row in rows}
    if missing:
        yield f"nothing was decided on {', '.join(sorted(missing))}"
    if "PROMOTED" not in verdicts:
        yield "no variant was promoted"
    if "HELD" not in verdicts:
        yield "no variant was held: the gate saw no harm in any of them"


def to_dicts(rows: Sequence[VariantRow]) -> list[dict[str, Any]]:
    """For programs; numbers as they are, not rounded."""
    return [{name: value for name, value in asdict(row).items() if name != "processor"} for row in rows]
