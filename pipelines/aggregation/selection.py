"""Which of a round's updates make the model. Pure: a rule, the measurements it asks for, a selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fluvial.wire.records import AcceptedUpdate, Contribution, Round
from models.aggregation.gram import total_gram
from models.aggregation.plan import Measure, RoundUpdates
from models.aggregation.rule import parse_rule


def needs_measurement(round_: Round) -> bool:
    """Whether the rule compares updates, so that shards must measure them first."""
    return parse_rule(round_.rule).measure is not Measure.NONE


def in_order(updates: Sequence[AcceptedUpdate]) -> list[AcceptedUpdate]:
    """The updates ordered by the digest of their records: the order of rows in every computation."""
    return sorted(updates, key=lambda update: update.record_sha256)


def select(
    round_: Round, updates: Sequence[AcceptedUpdate], grams: Mapping[int, npt.NDArray[np.float64]]
) -> tuple[Contribution, ...]:
    """The rule's selection. updates: in order. grams: by chunk, float64[N, N]; empty for rules that need none."""
    rule = parse_rule(round_.rule)
    gram = total_gram(grams[chunk] for chunk in sorted(grams)) if rule.measure is not Measure.NONE else None
    participants, weights = zip(*((update.participant, update.weight) for update in updates), strict=True)
    effective = rule.plan(RoundUpdates(participants=participants, weights=weights), gram).effective_weights
    return tuple(
        Contribution(
            participant=update.participant,
            update_id=update.update_id,
            source_partition=update.source_partition,
            source_offset=update.source_offset,
            record_sha256=update.record_sha256,
            weight=update.weight,
            selected=effective[row] > 0,
            effective_weight=effective[row],
            round=update.round,
        )
        for row, update in enumerate(updates)
    )
