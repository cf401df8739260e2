"""What a task file means for rounds and models: the terms that rounds announce and manifests repeat. Pure."""

from __future__ import annotations

import json

from fluvial.registry.round_terms import FOR_LIFE
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import UPDATE_BLOBS_RETENTION_MS
from models.aggregation import fixed_point, precision
from models.aggregation.rule import parse_rule
from models.aggregation.server_dynamic import Dynamic
from models.aggregation.server_optimizer import parse_server_optimizer
from models.aggregation.staleness import parse_staleness

_LARGEST_INT = (1 << 31) - 1
_LONGEST_OUTAGE_SECONDS = 3_600
LONGEST_WAIT_SECONDS = UPDATE_BLOBS_RETENTION_MS // 1000 - _LONGEST_OUTAGE_SECONDS
"""Longest that a round may hold an update: its chunks must still be there when the round closes, an outage later."""


def check(task_file: TaskFile) -> None:
    """Raises ValueError that says why the task could not run: numbers that no record can hold, rounds that outlast the
    chunks of their updates, its rule, its optimizer, or the bounds of its sums."""
    _check_numbers(task_file)
    _check_times(task_file)
    rule = parse_rule(rule_json(task_file))
    rule.check_quorum(task_file.quorum)
    if task_file.partial and not rule.linear:
        raise ValueError(f"a partial task adds updates up: its rule must be linear, and {rule.name} is not")
    moments(task_file)
    fraction_bits(task_file)
    _check_both_halves_of_dynamic_regularisation(task_file)


def _check_numbers(task_file: TaskFile) -> None:
    for name, value, most in (
        ("rounds", task_file.rounds, _LARGEST_INT),
        ("quorum", task_file.quorum, _LARGEST_INT),
        ("target", task_file.target, _LARGEST_INT),
        ("kept_versions", task_file.kept_versions, _LARGEST_INT),
        ("limits.max_weight", task_file.limits.max_weight, fixed_point.MAX_TOTAL_WEIGHT - 1),
    ):
        if value > most:
            raise ValueError(f"{name} is {value}, but may be {most} at most")


def _check_times(task_file: TaskFile) -> None:
    """What is held for a later attempt, where a round fails, may wait longer; then that round fails openly."""
    window = task_file.window
    longest = task_file.deadline_seconds * (1 + window.max_staleness) + window.grace_seconds
    if longest > LONGEST_WAIT_SECONDS:
        named = ["deadline_seconds"]
        named += ["window.max_staleness"] if window.max_staleness else []
        named += ["window.grace_seconds"] if window.grace_seconds else []
        raise ValueError(
            f"{', '.join(named)}: an update may wait {longest:g} seconds for its round to close; its chunks are kept "
            f"for {UPDATE_BLOBS_RETENTION_MS // 1000}, which leaves {LONGEST_WAIT_SECONDS} at most"
        )


def _check_both_halves_of_dynamic_regularisation(task_file: TaskFile) -> None:
    """FedDyn is a server optimizer and a regulariser of the participants, with one alpha."""
    optimizer = parse_server_optimizer(server_optimizer_json(task_file))
    server = optimizer.alpha if isinstance(optimizer, Dynamic) else None
    participants = task_file.training.model_dump().get("dynamic_alpha") or None
    if server != participants:
        raise ValueError(
            f"server_optimizer dynamic has alpha {server}, but training.dynamic_alpha is {participants}: "
            "FedDyn needs both, with the same value"
        )


def fixed(before: TaskFile, after: TaskFile) -> list[str]:
    """The fields for life that `after` would change."""
    return [name for name in FOR_LIFE if getattr(before, name) != getattr(after, name)]


def rule_json(task_file: TaskFile) -> str:
    """The aggregation rule as it stands in rounds and manifests."""
    return json.dumps(task_file.rule.model_dump(mode="json", exclude_none=True), sort_keys=True)


def server_optimizer_json(task_file: TaskFile) -> str:
    """The server optimizer as it stands in rounds and manifests; empty for none."""
    if task_file.server_optimizer is None:
        return ""
    return json.dumps(task_file.server_optimizer.model_dump(mode="json", exclude_none=True), sort_keys=True)


def staleness_json(task_file: TaskFile) -> str:
    """The weighting of updates of earlier rounds as it stands in rounds and manifests; empty where rounds are
    synchronous, so that none but their own updates count."""
    window = task_file.window
    if window.mode == "synchronous":
        return ""
    staleness = window.staleness.model_dump(mode="json") if window.max_staleness else {"name": "constant"}
    return json.dumps(staleness, sort_keys=True)


def moments(task_file: TaskFile) -> tuple[str, ...]:
    """Names of the moments that the task's server optimizer keeps. Raises ValueError for an unknown optimizer."""
    optimizer = parse_server_optimizer(server_optimizer_json(task_file))
    return () if optimizer is None else optimizer.moments


def fraction_bits(task_file: TaskFile) -> int:
    """Fraction bits of the exact sums: those that the limits prescribe, otherwise the most that fit whatever updates
    come, with the rule's coefficients and their factors of staleness.

    Raises ValueError for limits whose sums do not fit at all, or not with so many bits.
    """
    limits = task_file.limits
    most = precision.fraction_bits(
        parse_rule(rule_json(task_file)),
        target=task_file.target,
        max_weight=limits.max_weight,
        max_abs=limits.max_abs,
        unit=parse_staleness(staleness_json(task_file)).unit,
    )
    if limits.fraction_bits is not None and limits.fraction_bits > most:
        raise ValueError(f"limits.fraction_bits is {limits.fraction_bits}, but only {most} fit the other limits")
    return most if limits.fraction_bits is None else limits.fraction_bits


def deadline_ms(task_file: TaskFile, now_ms: int) -> int:
    """When a round opened now ends. A tumbling window ends at a multiple of its size: the next one, so that after an
    outage one window takes what several would have had."""
    size = max(1, int(task_file.deadline_seconds * 1000))
    if task_file.window.mode == "tumbling":
        return (now_ms // size + 1) * size
    return now_ms + size
