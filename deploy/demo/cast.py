"""Who takes part in the demonstration, and in which part. Pure.

With many groups of data, the last ones are given to those who misbehave, so that everyone has data of its own. With few
groups (four hospitals) every group is honest, and the adversaries come in addition.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

FEW_GROUPS = 8
VANISHING_ROUND = 2
"""The round in which one participant is killed in the middle of its upload."""

POISON_FACTOR = -10.0
"""What the poisoner multiplies its delta with."""


class Role(StrEnum):
    """A part."""

    HONEST = "honest"
    VANISHING = "disappears in mid-upload"
    REPLAYER = "replayer"
    POISONER = "poisoner"
    FORGER = "forger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A participant. group: number of the data group that it trains on. token: its one-time token; the forger has none.

    victim: the name that the forger uses in every other round.
    """

    name: str
    role: Role
    group: int
    token: str = ""
    victim: str = ""

    @property
    def enrols(self) -> bool:
        return self.role is not Role.FORGER

    @property
    def counts(self) -> bool:
        """Whether its updates are to be part of the model."""
        return self.role not in (Role.POISONER, Role.FORGER)


def cast(names: Sequence[str]) -> list[Member]:
    """The members for groups of data with these names, in their order. Raises ValueError for fewer than three."""
    if len(names) < 3:
        raise ValueError(f"the demonstration needs three groups of data at least, not {len(names)}")
    adversaries = [Role.POISONER, Role.FORGER]
    honest = len(names) - 2 - (len(adversaries) if len(names) >= FEW_GROUPS else 0)
    roles = [Role.HONEST] * honest + [Role.VANISHING, Role.REPLAYER, *adversaries]
    everyone = [*names, *(role.value for role in adversaries)][: len(roles)]
    return [
        Member(name=name, role=role, group=index % len(names), victim=names[0] if role is Role.FORGER else "")
        for index, (name, role) in enumerate(zip(everyone, roles, strict=True))
    ]


def dump(members: Sequence[Member]) -> str:
    """The members as JSON, for the processes that play them."""
    return json.dumps([asdict(member) for member in members])


def load(text: str) -> list[Member]:
    """What `dump` wrote."""
    return [Member(**{**fields, "role": Role(fields["role"])}) for fields in json.loads(text)]
