"""What participants measure on held-out examples of their own: what may stand in an update, and what is told of it all
together (federated evaluation: Wang et al., 2019, "Federated Evaluation of On-device Personalization").

Nobody can measure again what a participant measured on its own data. So the mean stands beside quantiles over the
participants, of which each counts once and which a minority of liars moves no further than to values that others told;
and in the mean nobody weighs more than its update does in the model, which the round bounds. Evaluation and auditor
compute the same bits: sums are exact before their one rounding, and a quantile is a value that was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite

from fluvial.wire.promotion_policy import LEAST_PUBLISHED
from fluvial.wire.records import HeldOutMetrics, ModelUpdate, ParticipantsMetric
from fluvial.wire.task_code import metric_name
from fluvial.wire.terms import HeldOutSpec

MAX_TOLD = 256
"""Values of one update: metrics times groups."""

MAX_SUMMARIES = 64
"""Values of one release, which stands in the audit log: those that the most participants told."""

MAX_NAME_BYTES = 64
"""Of the name of a metric, an attribute, a group, in UTF-8."""

MAX_VALUE = 1e12
"""So that no sum overflows; what is larger says no more than that."""

_MAX_EXAMPLES = 1 << 40


def held_out_fits(measured: Sequence[HeldOutMetrics]) -> bool:
    """Whether these are what an update may tell: all examples first, then groups of no more examples, each once and of
    at least ten; metrics with plain names, each once, and finite values."""
    if not measured:
        return True
    places = [(told.attribute, told.group) for told in measured]
    return (
        all(_is_plain(attribute) and _is_plain(group) for attribute, group in places[1:])
        and places[:1] in ([], [("", "")])
        and len(set(places)) == len(places)
        and sum(len(told.metrics) for told in measured) <= MAX_TOLD
        and all(LEAST_PUBLISHED <= told.num_examples <= measured[0].num_examples for told in measured)
        and all(told.num_examples <= _MAX_EXAMPLES for told in measured[:1])
        and all(_metrics_fit(told) for told in measured)
    )


def _metrics_fit(told: HeldOutMetrics) -> bool:
    names = [metric.name for metric in told.metrics]
    return (
        1 <= len(set(names)) == len(names)
        and all(_is_plain(name) for name in names)
        and all(isfinite(metric.value) and abs(metric.value) <= MAX_VALUE for metric in told.metrics)
    )


def _is_plain(text: str) -> bool:
    return 1 <= len(text.encode()) <= MAX_NAME_BYTES and text.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a participant told with one update of a model. round: that the update was trained for."""

    participant: str
    round: int
    version: int
    weight: int
    measured: tuple[HeldOutMetrics, ...]

    @classmethod
    def by(cls, update: ModelUpdate) -> Told:
        """What an update tells."""
        return cls(
            participant=update.participant,
            round=update.round,
            version=update.base_version,
            weight=update.weight,
            measured=update.measured,
        )


def summarise(told: Iterable[Told], spec: HeldOutSpec) -> tuple[ParticipantsMetric, ...]:
    """The metrics that the terms ask for, those that enough participants told, by version, group and name.

    A participant counts once for each version that it measured, by its newest update.
    """
    newest: dict[tuple[str, int], Told] = {}
    for each in sorted(told, key=lambda each: each.round):
        newest[each.participant, each.version] = each
    wanted = {metric_name(metric) for metric in spec.metrics}
    found: dict[tuple[int, str, str, str], list[tuple[float, int]]] = {}
    for each in newest.values():
        for group in each.measured:
            examples = min(group.num_examples, each.weight)
            for metric in group.metrics:
                if metric.name.partition(".")[0] in wanted:
                    place = each.version, group.attribute, group.group, metric.name
                    found.setdefault(place, []).append((metric.value, examples))
    enough = [place for place, values in found.items() if len(values) >= spec.min_participants]
    most = sorted(enough, key=lambda place: (-len(found[place]), place))[:MAX_SUMMARIES]
    return tuple(_summary(place, found[place]) for place in sorted(most))


def _summary(place: tuple[int, str, str, str], values: Sequence[tuple[float, int]]) -> ParticipantsMetric:
    version, attribute, group, metric = place
    ordered = sorted(value for value, _ in values)
    total = sum(examples for _, examples in values)
    return ParticipantsMetric(
        version=version,
        attribute=attribute,
        group=group,
        metric=metric,
        participants=len(values),
        num_examples=total,
        mean=fsum(value * examples for value, examples in values) / total,
        p10=_quantile(ordered, 10),
        p25=_quantile(ordered, 25),
        p50=_quantile(ordered, 50),
        p75=_quantile(ordered, 75),
        p90=_quantile(ordered, 90),
    )


def _quantile(ordered: Sequence[float], percent: int) -> float:
    """The least value that so many percent of all do not exceed (Hyndman and Fan, 1996, definition 1)."""
    return ordered[-(-percent * len(ordered) // 100) - 1]
