"""What a region reports besides the events of a participant."""

from dataclasses import dataclass

from fluvial.edge import events
from fluvial.wire.records import ModelManifest, Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The parent's round was opened below. seconds: what the region's participants have."""

    round: Round
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """The region's round, opened by its aggregation. An attempt above 1: the one before it failed, nothing was sent."""

    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """The region's exact sum of a round is there."""

    manifest: ModelManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The parent went on to another round and has no update of this region for this one."""

    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The parent could not take the region's sum, or gives no time for one: nothing is sent."""

    round: int
    reason: str


Event = Followed | Attempted | Summed | Missed | Refused | events.Event
