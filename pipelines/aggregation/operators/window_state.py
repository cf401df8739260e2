"""Flink's state of the windows, mirrored in memory: crossing into it costs more than all decisions about an update.

Beside the window itself it holds the updates that are admitted and those that wait, and the digests of those that the
window was lately done with: whoever reads the log again may hand on an update for a second time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyflink.common import Types
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate
from pipelines.aggregation.messages import decoded_round
from pipelines.aggregation.rounds.window import Window

_REMEMBERED = 16_384
"""Digests kept of what a window is done with."""

_BYTES = Types.PICKLED_BYTE_ARRAY()


class WindowState:
    """The state of the current key. Of its own it decides nothing."""

    def __init__(self, ctx: Any) -> None:
        self._window = ctx.get_state(ValueStateDescriptor("window", _BYTES))
        self._round = ctx.get_state(ValueStateDescriptor("round", _BYTES))
        self._admitted = ctx.get_list_state(ListStateDescriptor("admitted", _BYTES))
        self._held = ctx.get_list_state(ListStateDescriptor("held", _BYTES))
        self._done = ctx.get_list_state(ListStateDescriptor("done", _BYTES))
        self._mirrors: dict[str, Window] = {}
        self._present: dict[str, set[bytes]] = {}
        self._remembered: dict[str, OrderedDict[bytes, None]] = {}

    def load(self, task: str) -> tuple[Window, bool]:
        """The window of the current key, which is this task's, and whether it was looked at since the operator opened.

        A window that has no state is one of which nothing is known.
        """
        if task in self._mirrors:
            return self._mirrors[task], True
        stored, round_ = self._window.value(), self._round.value()
        self._mirrors[task] = Window.load(stored, decoded_round(bytes(round_)) if round_ is not None else None)
        waiting = [*self._admitted.get(), *self._held.get()]
        self._present[task] = {decode(bytes(data), AcceptedUpdate).record_sha256 for data in waiting}
        self._remembered[task] = OrderedDict.fromkeys(map(bytes, self._done.get()))
        return self._mirrors[task], False

    @property
    def is_empty(self) -> bool:
        """Whether Flink holds no window for the current key."""
        return self._window.value() is None

    def store(self, task: str, window: Window) -> None:
        before = self._mirrors[task]
        if window is not before:
            self._window.update(window.dump())
        if window.round is not before.round and window.round is not None:
            self._round.update(encode(window.round))
        self._mirrors[task] = window

    def knows(self, task: str, digest: bytes) -> bool:
        """Whether an update is admitted, waits, or was dealt with lately. digest: SHA-256 of its record."""
        return digest in self._present[task] or digest in self._remembered[task]

    def present(self, task: str) -> set[bytes]:
        """Digests of the updates that are admitted or wait."""
        return self._present[task]

    def arrived(self, task: str, digest: bytes) -> None:
        """An update is on its way into one of the lists."""
        self._present[task].add(digest)

    def done(self, task: str, updates: Iterable[AcceptedUpdate]) -> None:
        """The window is done with these updates."""
        digests = [update.record_sha256 for update in updates]
        if not digests:
            return
        self._present[task].difference_update(digests)
        remembered = self._remembered[task]
        remembered.update(dict.fromkeys(digests))
        if len(remembered) <= 2 * _REMEMBERED:
            self._done.add_all(digests)
            return
        while len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
        self._done.update(list(remembered))

    def forget(self, task: str, is_answered: Callable[[AcceptedUpdate], bool]) -> int:
        """Drop the updates that are answered already. Returns how many admitted ones are left."""
        left = 0
        for state in (self._held, self._admitted):
            waiting = [(decode(bytes(data), AcceptedUpdate), bytes(data)) for data in state.get()]
            kept = [data for update, data in waiting if not is_answered(update)]
            if len(kept) < len(waiting):
                state.update(kept)
                self.done(task, [update for update, _ in waiting if is_answered(update)])
            left = len(kept)
        return left

    def admit(self, encoded: Sequence[bytes]) -> None:
        self._admitted.add_all(list(encoded))

    def hold(self, encoded: bytes) -> None:
        self._held.add(encoded)

    def hold_admitted(self) -> None:
        """The admitted ones before those that wait."""
        self._held.update([*self.take_admitted(), *map(bytes, self._held.get())])

    def take_admitted(self) -> list[bytes]:
        return _taken(self._admitted)

    def take_held(self) -> list[bytes]:
        return _taken(self._held)


def _taken(state: Any) -> list[bytes]:
    taken = [bytes(data) for data in state.get()]
    state.clear()
    return taken
