"""What an audit found. Verified means: there was a signed log to check, and nothing contradicts anything."""

from dataclasses import asdict, dataclass, field
from typing import Any

MAX_PROBLEMS_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One contradiction. check: which of the audit's checks found it. where: topic/partition@offset, or empty. message:
    what is wrong.
    """

    check: str
    where: str
    message: str


class Problems:
    """Collects problems: keeps the first ones, counts all, so that a hostile topic cannot fill the auditor's memory."""

    __slots__ = ("count", "kept")

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[Problem] = []

    def add(self, check: str, where: object, message: str) -> None:
        """Record one problem."""
        self.count += 1
        if len(self.kept) < MAX_PROBLEMS_KEPT:
            self.kept.append(Problem(check=check, where=str(where), message=message))

    def extend(self, others: "Problems") -> None:
        """Record what was collected elsewhere."""
        self.count += others.count
        self.kept += others.kept[: MAX_PROBLEMS_KEPT - len(self.kept)]


@dataclass(frozen=True, slots=True)
class Findings:
    """What checks have found. problems: contradictions. skipped: records that nobody signed who may, or that are
    copies: they contradict nothing, because anybody who may write there can write them."""

    problems: Problems = field(default_factory=Problems)
    skipped: Problems = field(default_factory=Problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """How many records of one kind were matched with what vouches for them.

    total: found. matched: in order. pending: too new to be vouched for yet. expired: vouched for, but gone by
    retention.
    """

    total: int = 0
    matched: int = 0
    pending: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of an audit.

    size, root: of the tree over all leaves read, root in hex. since: what has its leaf before that one was verified by
    an earlier audit, and is not counted. signed_size, signed_root: of the newest good checkpoint
    (0 and empty for none), checkpoint its note. inputs: by topic, records against verdicts. verdicts: against leaves.
    models: manifests against leaves. copies: by kind, what else stands in topic and log. on_trust: by reason,
    refusals that the log alone neither proves nor refutes; TERMS: terms that became weaker, of which the registry has
    forgotten who signed. skipped: records that nobody signed who may, or that are
    copies: they contradict nothing, because anybody who may write there can write them.
    """

    origin: str
    size: int
    root: str
    since: int
    signed_size: int
    signed_root: str
    checkpoint: str
    num_checkpoints: int
    inputs: dict[str, Reconciled]
    verdicts: Reconciled
    models: Reconciled
    copies: dict[str, Reconciled]
    on_trust: dict[str, int]
    num_problems: int
    problems: tuple[Problem, ...]
    num_skipped: int
    skipped: tuple[Problem, ...]
    seconds: float

    @property
    def verified(self) -> bool:
        """Whether everything was proven: no problem, and a good checkpoint (nothing to check is no proof)."""
        return self.num_problems == 0 and self.num_checkpoints > 0

    @property
    def num_pending(self) -> int:
        """Records that are too new to be vouched for, and leaves that no checkpoint covers yet."""
        parts = (*self.inputs.values(), self.verdicts, self.models, *self.copies.values())
        return sum(part.pending for part in parts) + max(0, self.size - self.signed_size)

    def to_dict(self) -> dict[str, Any]:
        """The report for programs."""
        return {"verified": self.verified, "pending": self.num_pending, **asdict(self)}
