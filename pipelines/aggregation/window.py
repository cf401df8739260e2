"""When a round closes, and on which updates. Pure: one window per (task, round).

A round closes as soon as it has its target. At the deadline it closes when it has its quorum, and fails openly when
it has not. Broker time decides whether an update is in time; the wait after the deadline only lets updates that the
broker already had arrive. A failed round is opened again as its next attempt.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from fluvial.wire.records import AcceptedUpdate, Round

_STATE_VERSION = 1
_HEAD = struct.Struct(">BBI")


class Phase(IntEnum):
    UNKNOWN = 0
    """Updates came before the round's record."""
    OPEN = 1
    CLOSED = 2
    """Closed or failed; a further update is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """State of a window. The admitted updates themselves are kept beside it, in order of arrival."""

    phase: Phase = Phase.UNKNOWN
    num_admitted: int = 0
    round: Round | None = None

    def dump(self) -> bytes:
        """Phase and count. The round's record is kept beside them: it is large and changes once."""
        return _HEAD.pack(_STATE_VERSION, self.phase, self.num_admitted)

    @classmethod
    def load(cls, data: bytes | None, round_: Round | None) -> Window:
        """Raises ValueError for state of another version."""
        if data is None:
            return cls()
        version, phase, num_admitted = _HEAD.unpack(data)
        if version != _STATE_VERSION:
            raise ValueError(f"window state of version {version}; this job reads version {_STATE_VERSION}")
        return cls(phase=Phase(phase), num_admitted=num_admitted, round=round_)


@dataclass(frozen=True, slots=True)
class Begin:
    """The round is open: shards may start to accumulate."""

    round: Round


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the update until the round's record arrives."""

    update: AcceptedUpdate


@dataclass(frozen=True, slots=True)
class AdmitHeld:
    """Take every held update as if it arrived now."""


@dataclass(frozen=True, slots=True)
class Admit:
    """The update is part of the round."""

    update: AcceptedUpdate


@dataclass(frozen=True, slots=True)
class Late:
    """The update came too late for its round."""

    update: AcceptedUpdate


@dataclass(frozen=True, slots=True)
class Close:
    """Aggregate the admitted updates."""

    round: Round


@dataclass(frozen=True, slots=True)
class Fail:
    """The deadline passed without a quorum."""

    round: Round


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call again with `Deadline` at this time."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """A timer fired. One that its round has outlived does nothing."""


Effect = Begin | Hold | AdmitHeld | Admit | Late | Close | Fail | WakeAt


def step(
    window: Window, event: Round | AcceptedUpdate | Deadline, now_ms: int, *, late_grace_ms: int
) -> tuple[Window, list[Effect]]:
    """The window after an event, and what is to be done, in order."""
    match event:
        case Round():
            return _opened(window, event, late_grace_ms)
        case AcceptedUpdate():
            return _arrived(window, event)
        case Deadline():
            return _deadline(window, now_ms, late_grace_ms)


def _opened(window: Window, round_: Round, late_grace_ms: int) -> tuple[Window, list[Effect]]:
    known = window.round
    if known is not None and round_.attempt <= known.attempt:
        return window, []
    window = Window(phase=Phase.OPEN, round=round_)
    return window, [Begin(round_), WakeAt(round_.deadline_ms + late_grace_ms), AdmitHeld()]


def _arrived(window: Window, update: AcceptedUpdate) -> tuple[Window, list[Effect]]:
    round_ = window.round
    if round_ is None or update.attempt > round_.attempt:
        return window, [Hold(update)]
    in_time = update.source_timestamp_ms <= round_.deadline_ms
    if window.phase is not Phase.OPEN or update.attempt < round_.attempt or not in_time:
        return window, [Late(update)]
    window = replace(window, num_admitted=window.num_admitted + 1)
    effects: list[Effect] = [Admit(update)]
    if window.num_admitted >= round_.target:
        window = _closed(window, round_)
        effects.append(Close(round_))
    return window, effects


def _deadline(window: Window, now_ms: int, late_grace_ms: int) -> tuple[Window, list[Effect]]:
    round_ = window.round
    if round_ is None or window.phase is not Phase.OPEN or now_ms < round_.deadline_ms + late_grace_ms:
        return window, []
    enough = window.num_admitted >= round_.quorum
    return _closed(window, round_), [Close(round_) if enough else Fail(round_)]


def _closed(window: Window, round_: Round) -> Window:
    """The window of a round that is over. It only has to know late updates, for as long as the job lives."""
    return replace(window, phase=Phase.CLOSED, round=replace(round_, base_chunks=(), layout=()))
