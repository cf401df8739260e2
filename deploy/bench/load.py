"""Small signed updates, many of them: what `fluvial bench envelopes` sends through validation.

Each is a genuine update, signed by its participant for an open round, so each is accepted: the dear way through the
gate. A participant has one update in each task, and there are as many of both as it takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, isqrt

import numpy as np

from deploy.bench.seeding import open_round, task_record
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import ModelUpdate, Round, Task, TensorLayout
from fluvial.wire.task_file import Limits, ModelSpec, RuleSpec, TaskFile

NUM_ELEMENTS = 64
_LAYOUT = (TensorLayout(name="weight", shape=(NUM_ELEMENTS,)),)
_BASE_DIGEST = hashlib.sha256(b"the base model of a measurement").digest()
_PARTICIPANTS_PER_TASK = 10
_MAX_TASKS = 50
"""Fewer than the records of one participant that wait for the registry: all lie in the log before the job starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """participants: name to key. tasks, rounds: one open round for each task, in the same order."""

    num_envelopes: int
    participants: dict[str, SigningKey]
    tasks: list[Task]
    rounds: list[Round]

    @classmethod
    def of(cls, num_envelopes: int, *, closing: bool = True) -> Load:
        """A federation with room for that many updates: ten times as many participants as tasks, or more.

        closing: whether a round has its target when every participant has delivered. If not, its rule is the median, so
        that updates are admitted and nothing is done with them.
        """
        num_tasks = min(_MAX_TASKS, max(1, isqrt(ceil(num_envelopes / _PARTICIPANTS_PER_TASK))))
        num_participants = ceil(num_envelopes / num_tasks)
        target = num_participants if closing else num_participants + 1
        rule = "weighted_mean" if closing else "median"
        task_files = [_task_file(f"bench-{index:04}", target, rule) for index in range(num_tasks)]
        return cls(
            num_envelopes=num_envelopes,
            participants={f"device-{index:05}": SigningKey.generate() for index in range(num_participants)},
            tasks=[task_record(task_file, _LAYOUT, _BASE_DIGEST) for task_file in task_files],
            rounds=[open_round(task_file, _LAYOUT, _BASE_DIGEST) for task_file in task_files],
        )

    def envelopes(self, scope: str = "") -> Iterator[tuple[str, bytes]]:
        """(participant, sealed update), every task's in turn, so that one participant's lie far apart. scope:
        `Topics.scope`."""
        delta = np.random.default_rng(1).standard_normal(NUM_ELEMENTS).astype("<f4").tobytes()
        remaining = self.num_envelopes
        for round_ in self.rounds:
            for name, key in self.participants.items():
                if remaining == 0:
                    return
                remaining -= 1
                yield name, seal(an_update(round_, name, delta), key, name, scope)


def an_update(round_: Round, participant: str, inline: bytes) -> ModelUpdate:
    """The update of a participant for a round. inline: the delta, float32."""
    return ModelUpdate(
        task=round_.task,
        round=round_.round,
        attempt=round_.attempt,
        participant=participant,
        update_id=f"{participant}.{round_.task}",
        base_version=round_.base_version,
        base_digest=round_.base_digest,
        weight=1,
        encoding="float32",
        layout_digest=round_.layout_digest,
        scales=(),
        inline=inline,
        chunks=(),
        created_ms=round_.opened_ms,
    )


def _task_file(name: str, target: int, rule: str) -> TaskFile:
    return TaskFile(
        task=name,
        title="Measurement of validation",
        model=ModelSpec(architecture="synthetic"),
        rounds=1,
        quorum=1,
        target=target,
        rule=RuleSpec(name=rule),
        deadline_seconds=43_200.0,
        limits=Limits(max_abs=8.0, max_weight=1),
    )
