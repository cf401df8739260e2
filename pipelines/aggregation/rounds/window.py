"""When a round closes, and on which updates. Pure: one window per task, over the round that is open.

Three modes (`WindowMode`):

* **Synchronous.** Updates of this very attempt. The target closes it at once, the deadline with a quorum. Without one,
  updates are taken until the deadline plus the round's grace, and the one that makes the quorum closes it. A failed
  round gives its updates back and is opened again as its next attempt. Broker time decides what is in time.
* **Buffered** (FedBuff: Nguyen et al., 2022, "Federated Learning with Buffered Asynchronous Aggregation"). Updates of
  this round and of `max_staleness` rounds before it. The target closes it, the deadline with a quorum. Without one it
  fails openly, and its updates wait for the next attempt: nobody sends anything again.
* **Tumbling.** As buffered, but broker time alone closes it: it holds updates from before its deadline. Later ones, and
  those beyond the target (which bounds the exact sum), wait for the next window.

Updates of rounds not yet heard of wait; so do, in the asynchronous modes, updates that come while no round is open,
because a model is made or the task is paused. An update that no round can take any more is late. Every update is in
one place: admitted, held, or answered.

A window that starts without state is gathered first: what the log holds for its round comes again, in any order, and is
held until all of it is there. So its decisions depend neither on that order nor on how long reading takes.

Two waits follow a deadline. `arrival_wait_ms` is the job's: time for updates that the broker had by the deadline to
arrive here. The round's `grace_ms` is the federation's: updates that the broker gets later count too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from fluvial.registry.rounds import is_ahead, is_over, place
from fluvial.wire.records import AcceptedUpdate, Round, RoundStatus, WindowMode

_STATE_VERSION = 2
_HEAD = struct.Struct(">BBI")


class Phase(IntEnum):
    UNKNOWN = 0
    """Updates came before any round's record."""
    OPEN = 1
    CLOSED = 2
    """Closed, failed, or the task is finished."""
    GRACE = 3
    """The deadline passed without a quorum; the update that makes it closes the round."""
    GATHERING = 4
    """Started without state: not all that the log holds for the round has come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """State of a window. Admitted and held updates are kept beside it, in order of arrival."""

    phase: Phase = Phase.UNKNOWN
    num_admitted: int = 0
    round: Round | None = None

    def dump(self) -> bytes:
        """Phase and count. The round's record is kept beside them: it is large and changes rarely."""
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
    """Keep the update until the window has changed."""

    update: AcceptedUpdate


@dataclass(frozen=True, slots=True)
class HoldAdmitted:
    """Keep every admitted update in front of the held ones: none is admitted any more."""


@dataclass(frozen=True, slots=True)
class Release:
    """Take every held update as if it arrived now. in_broker_order: in the order of their broker times, not of their
    arrival."""

    in_broker_order: bool = False


@dataclass(frozen=True, slots=True)
class Admit:
    """The update is part of the round."""

    update: AcceptedUpdate


@dataclass(frozen=True, slots=True)
class Late:
    """The update came too late for every round that could take it."""

    update: AcceptedUpdate


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The round failed: every admitted update is answered so, and forgotten."""


@dataclass(frozen=True, slots=True)
class Close:
    """Aggregate the admitted updates."""

    round: Round


@dataclass(frozen=True, slots=True)
class Fail:
    """The round ended without a quorum."""

    round: Round
    num_updates: int


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call again with `Deadline` at this time."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """A timer fired. One that its round has outlived does nothing."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the log holds for the window has come again, or nobody waits for it any longer."""


Effect = Begin | Hold | HoldAdmitted | Release | Admit | Late | GiveBack | Close | Fail | WakeAt


def step(
    window: Window, event: Round | AcceptedUpdate | Deadline | Gathered, now_ms: int, *, arrival_wait_ms: int
) -> tuple[Window, list[Effect]]:
    """The window after an event, and what is to be done, in order."""
    if window.phase is Phase.GATHERING:
        return _gathering(window, event, arrival_wait_ms)
    match event:
        case Gathered():
            return window, []
        case Round():
            return _opened(window, event, arrival_wait_ms)
        case AcceptedUpdate():
            return _arrived(window, event)
        case Deadline():
            return _deadline(window, now_ms, arrival_wait_ms)


def _gathering(
    window: Window, event: Round | AcceptedUpdate | Deadline | Gathered, arrival_wait_ms: int
) -> tuple[Window, list[Effect]]:
    match event:
        case Round():
            is_newer = window.round is None or place(event) > place(window.round)
            return (replace(window, round=event) if is_newer else window), []
        case AcceptedUpdate():
            return window, [Hold(event)]
        case Deadline():
            return window, []
        case Gathered():
            if window.round is None:
                return Window(), []
            opened, effects = _opened(Window(), window.round, arrival_wait_ms)
            return opened, [Release(in_broker_order=True) if effect == Release() else effect for effect in effects]


def _opened(window: Window, round_: Round, arrival_wait_ms: int) -> tuple[Window, list[Effect]]:
    if window.round is not None and place(round_) <= place(window.round):
        return window, []
    superseded: list[Effect] = [HoldAdmitted()] if window.num_admitted else []
    if round_.status is RoundStatus.REMOVED and window.num_admitted:
        superseded = [GiveBack()]
    if round_.status is not RoundStatus.OPEN:
        return Window(phase=Phase.CLOSED, round=_slim(round_)), [*superseded, Release()]
    wake = WakeAt(round_.deadline_ms + arrival_wait_ms)
    return Window(phase=Phase.OPEN, round=round_), [*superseded, Begin(round_), wake, Release()]


def _arrived(window: Window, update: AcceptedUpdate) -> tuple[Window, list[Effect]]:
    round_ = window.round
    if round_ is None or is_ahead(update.round, update.attempt, round_):
        return window, [Hold(update)]
    if is_over(round_) or update.round < round_.round - round_.max_staleness:
        return window, [Late(update)]
    match round_.window:
        case WindowMode.SYNCHRONOUS:
            return _synchronous(window, round_, update)
        case WindowMode.BUFFERED:
            return _buffered(window, round_, update)
        case WindowMode.TUMBLING:
            return _tumbling(window, round_, update)


def _synchronous(window: Window, round_: Round, update: AcceptedUpdate) -> tuple[Window, list[Effect]]:
    in_time = update.source_timestamp_ms <= round_.deadline_ms
    in_grace = update.source_timestamp_ms <= round_.deadline_ms + round_.grace_ms
    if window.phase is Phase.CLOSED or update.attempt < round_.attempt or not in_grace:
        return window, [Late(update)]
    if window.phase is Phase.OPEN and not in_time:
        # Whether the quorum is missing is known once all that came in time has arrived.
        return window, [Hold(update)]
    return _admitted(window, round_, update, round_.quorum if window.phase is Phase.GRACE else round_.target)


def _buffered(window: Window, round_: Round, update: AcceptedUpdate) -> tuple[Window, list[Effect]]:
    if window.phase is Phase.CLOSED:
        return window, [Hold(update)]
    return _admitted(window, round_, update, round_.target)


def _tumbling(window: Window, round_: Round, update: AcceptedUpdate) -> tuple[Window, list[Effect]]:
    after_its_end = update.source_timestamp_ms >= round_.deadline_ms
    if window.phase is Phase.CLOSED or after_its_end or window.num_admitted >= round_.target:
        return window, [Hold(update)]
    return replace(window, num_admitted=window.num_admitted + 1), [Admit(update)]


def _admitted(window: Window, round_: Round, update: AcceptedUpdate, enough: int) -> tuple[Window, list[Effect]]:
    window = replace(window, num_admitted=window.num_admitted + 1)
    if window.num_admitted < enough:
        return window, [Admit(update)]
    window, effects = _closed(window, round_)
    return window, [Admit(update), *effects]


def _deadline(window: Window, now_ms: int, arrival_wait_ms: int) -> tuple[Window, list[Effect]]:
    round_ = window.round
    if round_ is None or window.phase not in (Phase.OPEN, Phase.GRACE):
        return window, []
    grace_over_ms = round_.deadline_ms + round_.grace_ms + arrival_wait_ms
    if now_ms < (grace_over_ms if window.phase is Phase.GRACE else round_.deadline_ms + arrival_wait_ms):
        return window, []
    if window.num_admitted >= round_.quorum:
        return _closed(window, round_)
    if window.phase is Phase.OPEN and round_.grace_ms:
        # Also when the grace is over: after an outage, updates that the broker had in time are still to be released.
        return replace(window, phase=Phase.GRACE), [WakeAt(grace_over_ms), Release()]
    num_admitted = window.num_admitted
    window = replace(window, phase=Phase.CLOSED, num_admitted=0, round=_slim(round_))
    failed = Fail(round_, num_admitted)
    if round_.window is WindowMode.SYNCHRONOUS:
        return window, [GiveBack(), failed, Release()]
    return window, [HoldAdmitted(), failed]


def _closed(window: Window, round_: Round) -> tuple[Window, list[Effect]]:
    """Held updates of a synchronous round that closes came after its deadline, or are for a later round."""
    window = replace(window, phase=Phase.CLOSED, num_admitted=0, round=_slim(round_))
    return window, [Close(round_), *([Release()] if round_.window is WindowMode.SYNCHRONOUS else [])]


def _slim(round_: Round) -> Round:
    """The record of a round that is over: it only has to tell which updates are late."""
    return replace(round_, base_chunks=(), optimizer_chunks=(), layout=())
