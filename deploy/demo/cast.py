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
    """A participant. group: the data that it trains on. token: its one-time token; the forger has none.

    victim: the name that the forger uses in every other round.
    """

    name: str
    role: Role
    group: str
    token: str = ""
    victim: str = ""

    @property
    def enrols(self) -> bool:
        return self.role is not Role.FORGER


def cast(groups: Sequence[str]) -> list[Member]:
    """The members for these groups of data, in the order of the groups. Raises ValueError for fewer than two groups."""
    if len(groups) < 2:
        raise ValueError(f"a federation needs two groups of data at least, not {len(groups)}")
    victim = groups[0]
    if len(groups) >= FEW_GROUPS:
        parts = [Role.VANISHING, Role.REPLAYER, Role.POISONER, Role.FORGER]
        roles = [Role.HONEST] * (len(groups) - len(parts)) + parts
        names = list(groups)
        data = list(groups)
    else:
        roles = [Role.HONEST] * (len(groups) - 2) + [Role.VANISHING, Role.REPLAYER, Role.POISONER, Role.FORGER]
        names = [*groups, "poisoner", "forger"]
        data = [*groups, victim, victim]
    return [
        Member(name=name, role=role, group=group, victim=victim if role is Role.FORGER else "")
        for name, role, group in zip(names, roles, data, strict=True)
    ]


def dump(members: Sequence[Member]) -> str:
    """The members as JSON, for the processes that play them."""
    return json.dumps([asdict(member) for member in members])


def load(text: str) -> list[Member]:
    """What `dump` wrote."""
    return [Member(**{**fields, "role": Role(fields["role"])}) for fields in json.loads(text)]
