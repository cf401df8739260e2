"""Which models of a task are still to be measured. Pure: each version once, whatever is read again.

The log says what was measured: `of_log` folds topic `releases`. A job without state reads topic `models` from its
beginning and passes over those versions; a manifest that somebody writes again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from fluvial.wire.records import Release

_STATE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Versions of one task that were looked at. through: all that came, up to this one; versions come in their order.
    ahead: those beyond it that the log has releases of."""

    through: int = -1
    ahead: frozenset[int] = frozenset()

    def take(self, version: int) -> tuple[Measured, bool]:
        """After a manifest of this version, and whether it is to be measured."""
        if version <= self.through:
            return self, False
        after = Measured(through=version, ahead=frozenset(other for other in self.ahead if other > version))
        return after, version not in self.ahead


def of_log(releases: Iterable[Release]) -> dict[str, Measured]:
    """By task what the releases in the log say."""
    versions: dict[str, set[int]] = {}
    for release in releases:
        versions.setdefault(release.task, set()).add(release.version)
    return {task: Measured(ahead=frozenset(found)) for task, found in versions.items()}


def dump(measured: Measured) -> bytes:
    """The state as bytes: a version byte and JSON."""
    return bytes([_STATE_VERSION]) + json.dumps([measured.through, sorted(measured.ahead)]).encode()


def load(data: bytes) -> Measured:
    """The state from bytes. Raises ValueError for state of another version."""
    if data[0] != _STATE_VERSION:
        raise ValueError(f"evaluation state of version {data[0]}; this job reads version {_STATE_VERSION}")
    through, ahead = json.loads(data[1:])
    return Measured(through=through, ahead=frozenset(ahead))
