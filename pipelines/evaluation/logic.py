"""Which models of a task are still to be measured. Pure: each version once, whatever is read again.

The log says what was measured: `of_log` folds topic `releases`. A job without state reads topic `models` from its
beginning and passes over those versions; a manifest that somebody writes again changes nothing. Versions that a former
submission could not measure it looks at once more: a package may be allowed now, or a data file be there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from fluvial.wire.records import Release

_STATE_VERSION = 2


class Turn(Enum):
    """What is due for a manifest that came."""

    NOTHING = "NOTHING"
    FIRST = "FIRST"
    """Nobody has looked at the model yet."""
    AGAIN = "AGAIN"
    """It was released without a measurement, by a former submission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Versions of one task that were looked at. through: all that came, up to this one; versions come in their order.
    ahead: those beyond it that the log has releases of; without: those of them that have no measurement."""

    through: int = -1
    ahead: frozenset[int] = frozenset()
    without: frozenset[int] = frozenset()

    def take(self, version: int) -> tuple[Measured, Turn]:
        """After a manifest of this version, and what is due for it."""
        if version <= self.through:
            return self, Turn.NOTHING
        after = Measured(
            through=version,
            ahead=frozenset(other for other in self.ahead if other > version),
            without=frozenset(other for other in self.without if other > version),
        )
        if version in self.without:
            return after, Turn.AGAIN
        return after, Turn.NOTHING if version in self.ahead else Turn.FIRST


def of_log(releases: Iterable[Release]) -> dict[str, Measured]:
    """By task what the releases in the log say."""
    versions: dict[str, set[int]] = {}
    measured: dict[str, set[int]] = {}
    for release in releases:
        versions.setdefault(release.task, set()).add(release.version)
        if not release.reason:
            measured.setdefault(release.task, set()).add(release.version)
    return {
        task: Measured(ahead=frozenset(found), without=frozenset(found - measured.get(task, set())))
        for task, found in versions.items()
    }


def dump(measured: Measured) -> bytes:
    """The state as bytes: a version byte and JSON."""
    fields = [measured.through, sorted(measured.ahead), sorted(measured.without)]
    return bytes([_STATE_VERSION]) + json.dumps(fields).encode()


def load(data: bytes) -> Measured:
    """The state from bytes. Raises ValueError for state of another version."""
    if data[0] != _STATE_VERSION:
        raise ValueError(f"evaluation state of version {data[0]}; this job reads version {_STATE_VERSION}")
    through, ahead, without = json.loads(data[1:])
    return Measured(through=through, ahead=frozenset(ahead), without=frozenset(without))
