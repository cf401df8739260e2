"""The result of a demonstration: for people as tables, for programs as a dictionary, and whether it holds up. Pure.

Every number is handed in, from the topics, from the baseline's process, from replay and audit; none is made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.demo.asking import Asked
from deploy.demo.governed import Governed
from deploy.demo.groups import ByGroup
from deploy.demo.groups import to_dicts as to_group_dicts
from deploy.demo.ledger import RoundRow
from deploy.demo.measures import Margin, in_order, label, told
from deploy.demo.measures import shortfalls as behind_central
from deploy.demo.variants import VariantRow, to_dicts, variants_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What the audit found. root: of the signed tree, hexadecimal. problems: the first contradictions, in words."""

    verified: bool
    size: int
    root: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A participant, the part it played, and what became of it."""

    name: str
    role: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run.

    metrics: those that the task asks for, of its own by their functions' names. margins: how far they may stay behind
    the central model's, which are `central`. replay: "bit-exact" or what differs. breaches: attacks that got through.
    phases: (name, seconds). expected_rounds: what the task asks for. megabytes: accepted tensor bytes;
    megabytes_per_second: those over the time of the rounds. variants: those of the last model; variants_missing: what
    they did not show."""

    task: str
    expected_rounds: int
    metrics: tuple[str, ...]
    margins: tuple[Margin, ...]
    rounds: tuple[RoundRow, ...]
    central: Mapping[str, float]
    by_group: ByGroup = field(default_factory=ByGroup)
    replay: str
    audit: Audited
    participants: tuple[Outcome, ...]
    breaches: tuple[str, ...] = ()
    variants: tuple[VariantRow, ...] = ()
    variants_missing: tuple[str, ...] = ()
    asked: Asked | None = None
    asked_missing: tuple[str, ...] = ()
    governed: Governed | None = None
    phases: tuple[tuple[str, float], ...]
    seconds: float
    megabytes: float
    megabytes_per_second: float

    @property
    def federated(self) -> dict[str, float]:
        """Metrics of the last round's model."""
        return dict(self.rounds[-1].metrics) if self.rounds else {}

    @property
    def columns(self) -> list[str]:
        """The metrics to be shown of each round: what was measured, and what was asked for and was not."""
        measured = [name for row in self.rounds for name in row.metrics]
        found = {name.partition(".")[0] for name in measured}
        return in_order([*(name for name in self.metrics if name in measured or name not in found), *measured])

    def shortfalls(self) -> list[str]:
        """What the run did not live up to; empty for success."""
        found = [*self.breaches, *self.variants_missing, *self.asked_missing]
        found += self.governed.problems[:3] if self.governed is not None else ()
        if len(self.rounds) < self.expected_rounds or any(not row.metrics for row in self.rounds):
            measured = sum(bool(row.metrics) for row in self.rounds)
            found.append(f"{measured} of {self.expected_rounds} rounds ended with a measured model")
        found += behind_central(self.margins, self.federated, self.central)
        found += self.by_group.shortfalls()
        if self.replay != "bit-exact":
            found.append(f"replay is not bit-exact: {self.replay}")
        if not self.audit.verified:
            found.append(
                "the audit log does not verify" + "".join(f"; {problem}" for problem in self.audit.problems[:3])
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """For programs; numbers as they are, not rounded."""
        return {
            "task": self.task,
            "rounds": [_row(row, self.columns) for row in self.rounds],
            "central": dict(self.central),
            "groups": {
                "federated": to_group_dicts(self.by_group.federated),
                "central": to_group_dicts(self.by_group.central),
            },
            "replay": self.replay,
            "audit": {"verified": self.audit.verified, "size": self.audit.size, "root": self.audit.root},
            "participants": [asdict(outcome) for outcome in self.participants],
            "seconds": self.seconds,
            "megabytes_per_second": self.megabytes_per_second,
            "phases": dict(self.phases),
            "shortfalls": self.shortfalls(),
            **({"variants": to_dicts(self.variants)} if self.variants else {}),
            **({"requests": _requests(self.asked)} if self.asked is not None else {}),
            **({"decisions": asdict(self.governed)} if self.governed is not None else {}),
        }

    def print(self, console: Console) -> None:
        """For people."""
        console.print(Group(*self._parts()))

    def _parts(self) -> list[RenderableType]:
        return [
            Text(),
            self._rounds_table(),
            Text(),
            *((by_group, Text()) if (by_group := self.by_group.table()) is not None else ()),
            _participants_table(self.participants),
            Text(),
            *self._variants_parts(),
            self._facts(),
        ]

    def _variants_parts(self) -> list[RenderableType]:
        if not self.variants:
            return []
        return [variants_table(self.variants), *_reasons_of(self.variants), Text()]

    def _rounds_table(self) -> Table:
        table = Table(title=f"Task {self.task}: rounds", title_justify="left")
        columns = self.columns
        for name in ("round", "accepted", "left out by rule", "late", "rejected", *map(label, columns)):
            table.add_column(name, justify="left" if name == "rejected" else "right")
        for row in self.rounds:
            number = f"{row.round}" if row.attempt == 1 else f"{row.round} (attempt {row.attempt})"
            cells = [number, f"{row.accepted}", f"{row.excluded}", f"{row.late}", reasons(row.rejected)]
            table.add_row(*cells, *(told(name, row.metrics.get(name)) for name in columns))
        return table

    def _facts(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        table.add_row("federated", _metrics(self.federated))
        table.add_row("central", f"{_metrics(self.central)} (same data, same number of passes)")
        if worst := self.by_group.worst_in_words():
            table.add_row("worst group", worst)
        table.add_row("replay", self.replay)
        audit = "verified" if self.audit.verified else "NOT VERIFIED: " + "; ".join(self.audit.problems)
        table.add_row("audit", f"{audit}, {self.audit.size} events, root {self.audit.root}")
        if self.asked is not None:
            table.add_row("requests", _requests_in_words(self.asked))
        if self.governed is not None:
            computed = f"{self.governed.decisions} computed again from the signed counts"
            wrong = f", {len(self.governed.problems)} problems" if self.governed.problems else ", all the same"
            own = f"; a bank's own measurements of {self.governed.admitted} variants admitted"
            if self.governed.scored:
                own += f"; {self.governed.scored} updates scored on the canary set before they were accepted"
            table.add_row("decisions", computed + wrong + own)
        rate = f"{_bytes(self.megabytes)} of updates at {_bytes(self.megabytes_per_second)}/s, local training included"
        table.add_row("throughput", rate)
        phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.phases)
        table.add_row("time", f"{self.seconds:.1f} s: {phases}")
        return table


def _participants_table(participants: Sequence[Outcome]) -> Table:
    table = Table(title="Participants", title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("what became of it", overflow="fold")
    for participant in participants:
        style = "" if participant.role == "honest" else "yellow"
        table.add_row(participant.name, participant.role, participant.outcome, style=style)
    return table


def _reasons_of(variants: Sequence[VariantRow]) -> list[Text]:
    """Why each variant that does not serve does not."""
    return [Text(f"  {row.reason}") for row in variants if row.verdict != "PROMOTED"]


def _requests(asked: Asked) -> dict[str, Any]:
    """For programs."""
    return {
        "before_release": asked.unreleased,
        "answered": asked.num_answered,
        "failed": len(asked.failed),
        "releases": [
            {"promotion": promotion, "version": version, "variant": variant, "answered": count}
            for (promotion, version, variant), count in asked.answered.items()
        ],
        "latencies_ms": sorted(asked.latencies_ms),
    }


def _requests_in_words(asked: Asked) -> str:
    releases = list(asked.answered)
    middle = sorted(asked.latencies_ms)[len(asked.latencies_ms) // 2] if asked.latencies_ms else 0.0
    served = ", ".join(f"version {version} {variant}" for _, version, variant in releases)
    return (
        f"{asked.unreleased} before the first release, {asked.num_answered} answered over {max(0, len(releases) - 1)} "
        f"swaps ({served}), {len(asked.failed)} failed; median {middle:.0f} ms"
    )


def reasons(rejected: Mapping[str, int]) -> str:
    """Counts by reason, in one line."""
    return ", ".join(f"{count} {reason}" for reason, count in rejected.items()) or "0"


def _metrics(metrics: Mapping[str, float]) -> str:
    """In one line, names in alphabetical order: accuracy first, loss last."""
    return ", ".join(sorted(f"{name} {told(name, value)}" for name, value in metrics.items())) or "-"


def _bytes(megabytes: float) -> str:
    return f"{megabytes:.2f} MB" if megabytes >= 0.1 else f"{megabytes * 1000:.2f} kB"


def _row(row: RoundRow, columns: Sequence[str]) -> dict[str, Any]:
    return {
        "round": row.round,
        "accepted": row.accepted,
        "rejected": row.rejected,
        "late": row.late,
        **{name: row.metrics.get(name) for name in columns},
        "excluded": row.excluded,
    }
