"""The tables of the convergence study, as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.convergence_runs import BATCH_SIZE, DURATIONS, TARGET

LEVELS = (0.90, 0.95, 0.96, 0.97, 0.98)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A federation's models: (version, updates so far, simulated time, accuracy) of each."""

    study: str
    name: str
    points: tuple[tuple[int, int, float, float], ...]

    def first(self, level: float) -> tuple[int, int, float, float] | None:
        """The first model that reaches an accuracy, as McMahan et al. count: the best so far does."""
        return next((point for point in self.points if point[3] >= level), None)


def markdown(curves: Sequence[Curve], source: str) -> str:
    """One table a study."""
    text = [
        "# Convergence",
        "",
        f"{source}; {TARGET} participants a round, batches of {BATCH_SIZE}, the network of the task digits (21,162 "
        "parameters), the participants' learning rate 0.1, no momentum there; accuracy on writers whom nobody has. One "
        "seed. Made by `python -m tests.benchmarks.convergence`.",
        "",
    ]
    for study, heading in (("rounds", _ROUNDS), ("stragglers", _STRAGGLERS), ("optimizers", _OPTIMIZERS)):
        chosen = [curve for curve in curves if curve.study == study and curve.points]
        if chosen:
            text += [*heading, *(_timed(chosen) if study == "stragglers" else _counted(chosen)), ""]
    return "\n".join(text)


_ROUNDS = (
    "## Rounds to an accuracy",
    "",
    "E: epochs in a round. chance: dealt out at random; writers: five people's digits each; labels: two shards of one "
    "label each, as in McMahan et al., 2017. Theirs, to 99 % with a network of 1.66 million parameters and 600 "
    "examples a participant: 34 rounds (E = 1) and 20 (E = 5) for data dealt out at random, 350 and 229 with two "
    "shards each.",
    "",
)
_OPTIMIZERS = (
    "## Server optimizers",
    "",
    "Participants with two shards of one label each, E = 1. Beside the rounds: mean and deviation of the last ten.",
    "",
)
_STRAGGLERS = (
    "## Stragglers",
    "",
    f"By writer, E = 1. Times are log-normal: deviation of the logarithm {DURATIONS.between} between participants and "
    f"{DURATIONS.within} within; a typical participant's median is 1. Rounds wait for the updates that they take; "
    "buffers take whatever comes, weighted by (1 + staleness) ** -0.5.",
    "",
)


def _counted(curves: Sequence[Curve]) -> list[str]:
    """Rounds to each level, and where the last ten models are."""
    text = [
        "| | " + " | ".join(f"rounds to {100 * level:.0f} %" for level in LEVELS) + " | best, % | last ten, % |",
        "|---" * (len(LEVELS) + 3) + "|",
    ]
    for curve in curves:
        reached = [curve.first(level) for level in LEVELS]
        cells = [str(point[0]) if point else f"> {curve.points[-1][0]}" for point in reached]
        last = [100 * point[3] for point in curve.points[-10:]]
        mean = sum(last) / len(last)
        deviation = (sum((value - mean) ** 2 for value in last) / len(last)) ** 0.5
        best = 100 * max(point[3] for point in curve.points)
        text.append(f"| {curve.name} | {' | '.join(cells)} | {best:.1f} | {mean:.1f} ± {deviation:.1f} |")
    return text


def _timed(curves: Sequence[Curve]) -> list[str]:
    """Simulated time to each level, and updates applied per unit of it."""
    text = [
        "| | updates per unit of time | "
        + " | ".join(f"time to {100 * level:.0f} %" for level in LEVELS)
        + " | best, % |",
        "|---" * (len(LEVELS) + 3) + "|",
    ]
    for curve in curves:
        reached = [curve.first(level) for level in LEVELS]
        cells = [f"{point[2]:.0f} ({point[1]} updates)" if point else "never" for point in reached]
        rate = curve.points[-1][1] / curve.points[-1][2]
        best = 100 * max(point[3] for point in curve.points)
        text.append(f"| {curve.name} | {rate:.1f} | {' | '.join(cells)} | {best:.1f} |")
    return text
