"""What training costs whom, and whom rounds leave behind. Pure.

Speed and cost are what participants claim of themselves with their updates; nobody can check them, so they decide
nothing. Invitations, verdicts and receipts are the log's. Jain's index of the included updates is 1 where every
participant has as many, and 1/n where one has all. Source: Jain, Chiu and Hawe, 1984, "A Quantitative Measure of
Fairness and Discrimination for Resource Allocation in Shared Computer Systems", DEC Research Report TR-301.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median

from fluvial.wire.records import ModelUpdate, Outcome, TrainingReport

_MAX_CHARACTERS = 64
_MOST = 1e15
"""Seconds, joules or bytes of one update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An attempt of a round, and whom its public seed invited."""

    round: int
    attempt: int
    invited: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCost:
    """Updates of one class of devices and precision, as their participants tell; medians. speed_up: against the slowest
    class. processor_seconds, joules: for 1,000 examples; joules 0 where nobody's machine tells."""

    device: str
    precision: str
    participants: int
    updates: int
    examples_per_second: float
    speed_up: float
    processor_seconds: float
    joules: float
    bytes_sent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupShare:
    """What became of a group's invitations. uninvited: participants whom no round has invited. met: share of the
    invitations that was answered by an accepted update. included: share of those accepted that are in a model; late:
    that came after their round had closed. What is neither, the rule has left out, or its round has failed."""

    group: str
    participants: int
    uninvited: int
    invitations: int
    met: float
    included: float
    late: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingAccount:
    """The account of one task. silent: accepted updates that do not say how they were trained, or say what cannot be
    (`is_plausible`)."""

    devices: tuple[DeviceCost, ...]
    groups: tuple[GroupShare, ...]
    jain_index: float
    silent: int


DEVICE_WORDS = (
    "Medians over updates, as participants tell. Speed-up: against the slowest line. CPU seconds and joules are for "
    "1,000 examples, each epoch counted; - where no machine tells its energy. Sent: bytes of an update."
)
GROUP_WORDS = (
    "Kind of device: what participants said of it when they enrolled. Uninvited: participants whom no round has drawn. "
    "Met: invitations that an accepted update answered. Included, late: of these updates; the rest was left out by the "
    "rule, or its round failed."
)
"""What the columns of the two tables mean."""


def account(
    *,
    groups: Mapping[str, str],
    opened: Sequence[Opened],
    accepted: Iterable[ModelUpdate],
    receipts: Mapping[tuple[str, int], Outcome],
) -> TrainingAccount:
    """groups: of each participant of the task. opened: of each attempt those who were enrolled then. accepted: updates
    that the gate let in. receipts: what became of an update, by participant and round."""
    updates = [update if all(map(is_plausible, update.trained)) else replace(update, trained=()) for update in accepted]
    answered = {(update.participant, update.round) for update in updates}
    included = {place for place in answered if receipts.get(place) is Outcome.INCLUDED}
    late = {place for place in answered if receipts.get(place) is Outcome.LATE}
    invitations = {(name, attempt.round) for attempt in opened for name in attempt.invited if name in groups}
    invitations |= {place for place in answered if place[0] in groups}  # the gate lets nobody else in
    shares = []
    for group in sorted(set(groups.values())):
        members = {name for name, its in groups.items() if its == group}
        asked = {place for place in invitations if place[0] in members}
        let_in = {place for place in answered if place[0] in members}
        shares.append(
            GroupShare(
                group=group,
                participants=len(members),
                uninvited=len(members - {name for name, _ in asked}),
                invitations=len(asked),
                met=_share(len(asked & let_in), len(asked)),
                included=_share(len(let_in & included), len(let_in)),
                late=_share(len(let_in & late), len(let_in)),
            )
        )
    counts = [sum(place[0] == name for place in included) for name in sorted(groups)]
    return TrainingAccount(
        devices=_devices(updates),
        groups=tuple(shares),
        jain_index=jain_index(counts),
        silent=sum(not update.trained for update in updates),
    )


def is_plausible(told: TrainingReport) -> bool:
    """Whether a claim is one that training can give: plain names, numbers that are no infinity and no less than
    nothing. One participant's claim must not make the account of all unreadable."""
    names = told.device_class, told.precision
    amounts = told.processor_seconds, told.joules, told.bytes_sent
    return (
        all(0 < len(name) <= _MAX_CHARACTERS and name.isprintable() for name in names)
        and all(isfinite(amount) and 0 <= amount <= _MOST for amount in amounts)
        and 1 <= told.epochs <= 1_000_000
        and 1e-6 <= told.seconds <= _MOST
    )


def jain_index(amounts: Sequence[float]) -> float:
    """Of what each has, at least 0; 1 for nobody, and where all have nothing."""
    squares = len(amounts) * sum(amount * amount for amount in amounts)
    return sum(amounts) ** 2 / squares if squares else 1.0


def _devices(updates: Iterable[ModelUpdate]) -> tuple[DeviceCost, ...]:
    by_class: dict[tuple[str, str], list[ModelUpdate]] = {}
    for update in updates:
        for told in update.trained:
            by_class.setdefault((told.device_class, told.precision), []).append(update)
    rates = {key: median(_examples_per_second(update) for update in found) for key, found in by_class.items()}
    slowest = min((rate for rate in rates.values() if rate > 0), default=0.0)
    costs = []
    for (device, precision), found in sorted(by_class.items()):
        reports = [(update, told) for update in found for told in update.trained]
        costs.append(
            DeviceCost(
                device=device,
                precision=precision,
                participants=len({update.participant for update in found}),
                updates=len(found),
                examples_per_second=rates[device, precision],
                speed_up=rates[device, precision] / slowest if slowest else 0.0,
                processor_seconds=median(1000 * told.processor_seconds / _examples(update) for update, told in reports),
                joules=median(1000 * told.joules / _examples(update) for update, told in reports),
                bytes_sent=median(told.bytes_sent for _, told in reports),
            )
        )
    return tuple(costs)


def _examples(update: ModelUpdate) -> int:
    """Examples that training looked at, those of every epoch."""
    return max(1, update.weight * sum(told.epochs for told in update.trained))


def _examples_per_second(update: ModelUpdate) -> float:
    seconds = sum(told.seconds for told in update.trained)
    return _examples(update) / seconds if seconds > 0 else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
