"""Flink's keyed and broadcast state in dicts, with timers, for an operator that runs in a test.

The state outlives the operator: open another one on the same `FlinkState`, and it goes on as after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


class ValueState:
    """Flink's ValueState of the current key."""

    def __init__(self, cell: Callable[[], dict[str, Any]]) -> None:
        self._cell = cell

    def value(self) -> Any:
        return self._cell().get("value")

    def update(self, value: Any) -> None:
        self._cell()["value"] = value

    def clear(self) -> None:
        self._cell().clear()


class ListState:
    """Flink's ListState of the current key."""

    def __init__(self, cell: Callable[[], dict[str, Any]]) -> None:
        self._cell = cell

    def get(self) -> list[Any]:
        return list(self._cell().get("values", ()))

    def add(self, value: Any) -> None:
        self._cell().setdefault("values", []).append(value)

    def add_all(self, values: Iterable[Any]) -> None:
        self._cell().setdefault("values", []).extend(values)

    def update(self, values: Iterable[Any]) -> None:
        self._cell()["values"] = list(values)

    def clear(self) -> None:
        self._cell().clear()


class MapState:
    """Flink's MapState of the current key, or its BroadcastState."""

    def __init__(self, cell: Callable[[], dict[str, Any]]) -> None:
        self._cell = cell

    def get(self, key: str) -> Any:
        return self._cell().get(key)

    def put(self, key: str, value: Any) -> None:
        self._cell()[key] = value

    def put_all(self, dict_value: dict[str, Any]) -> None:
        self._cell().update(dict_value)

    def remove(self, key: str) -> None:
        self._cell().pop(key, None)

    def contains(self, key: str) -> bool:
        return key in self._cell()

    def items(self) -> list[tuple[str, Any]]:
        return list(self._cell().items())

    def keys(self) -> list[str]:
        return list(self._cell())

    def values(self) -> list[Any]:
        return list(self._cell().values())

    def is_empty(self) -> bool:
        return not self._cell()

    def clear(self) -> None:
        self._cell().clear()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


class FlinkState:
    """The runtime context of an operator and the context of each call, in one.

    key: the current key, as set by `call` and `fire`. cells: by state's name and key. timers: by key.
    """

    def __init__(self) -> None:
        self.key = ""
        self.cells: dict[tuple[str, str], dict[str, Any]] = {}
        self.timers: dict[str, set[int]] = {}

    def call(self, operator: Any, key: str, value: Any) -> list[Any]:
        """What `process_element` gives for an element with this key."""
        self.key = key
        return list(operator.process_element(value, self) or ())

    def broadcast(self, operator: Any, value: Any) -> list[Any]:
        """What `process_broadcast_element` gives."""
        return list(operator.process_broadcast_element(value, self) or ())

    def fire(self, operator: Any, now_ms: int) -> list[Any]:
        """What the timers that are due give, in the order of their times."""
        due = sorted((at_ms, key) for key, timers in self.timers.items() for at_ms in timers if at_ms <= now_ms)
        out: list[Any] = []
        for at_ms, key in due:
            self.key = key
            self.timers[key].discard(at_ms)
            out += operator.on_timer(at_ms, self) or ()
        return out

    def next_timer(self) -> int | None:
        """When the first timer is due."""
        return min((at_ms for timers in self.timers.values() for at_ms in timers), default=None)

    def num_timers(self) -> int:
        return sum(map(len, self.timers.values()))

    def num_values(self) -> int:
        """How many values, entries of lists and entries of maps there are, under all keys."""
        return sum(
            len(value) if name == "values" else 1 for cell in self.cells.values() for name, value in cell.items()
        )

    def is_empty(self, name: str) -> bool:
        """Whether the state of that name holds nothing under any key."""
        return not any(cell for (state, _), cell in self.cells.items() if state == name)

    # What operators call.

    def get_state(self, descriptor: Any) -> ValueState:
        return ValueState(self._keyed(descriptor.name))

    def get_list_state(self, descriptor: Any) -> ListState:
        return ListState(self._keyed(descriptor.name))

    def get_map_state(self, descriptor: Any) -> MapState:
        return MapState(self._keyed(descriptor.name))

    def get_broadcast_state(self, descriptor: Any) -> MapState:
        return MapState(lambda: self._cell(descriptor.name, "broadcast"))

    def get_current_key(self) -> str:
        return self.key

    def timer_service(self) -> FlinkState:
        return self

    def register_processing_time_timer(self, at_ms: int) -> None:
        self.timers.setdefault(self.key, set()).add(at_ms)

    def delete_processing_time_timer(self, at_ms: int) -> None:
        self.timers.get(self.key, set()).discard(at_ms)

    def _keyed(self, name: str) -> Callable[[], dict[str, Any]]:
        return lambda: self._cell(name, self.key)

    def _cell(self, name: str, key: str) -> dict[str, Any]:
        return self.cells.setdefault((name, key), {})
