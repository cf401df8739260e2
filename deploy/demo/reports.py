"""What the processes of the demonstration tell the one that drives them: lines of JSON in a file, read as they come.

They say what happened on a device, which no topic knows: that it is ready, how far an upload is, at which position an
adversary's record lies. What was decided about it is read from the topics alone.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The process has imported what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The registrar has answered."""

    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The upload is where this member disappears; it does nothing more until it is killed."""

    member: str
    round: int
    num_acknowledged: int
    num_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An envelope lies at this position of topic updates.

    kind: own, replay or forgery. num_uploaded: chunks sent for it.
    """

    member: str
    kind: str
    round: int
    partition: int
    offset: int
    num_uploaded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The member has left: the task is finished."""

    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The member cannot go on."""

    member: str
    reason: str


Report = Ready | Enrolled | Stuck | Sent | Ended | Failed
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Ready, Enrolled, Stuck, Sent, Ended, Failed)}


class Reporter:
    """Appends to the file; used by several threads of one process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def report(self, report: Report) -> None:
        """Write one line at once."""
        line = json.dumps({"report": type(report).__name__, **asdict(report)})
        with self._lock:
            self._file.write(line + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class ReportReader:
    """Reads a file that grows; one that is not there yet is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> list[Report]:
        """The reports since the last call; a line still being written waits for the next."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        return [parse(line) for line in complete.decode().splitlines()]


def parse(line: str) -> Report:
    """One line. Raises ValueError for what is no report."""
    fields = json.loads(line)
    kind = _KINDS.get(fields.pop("report", ""))
    if kind is None:
        raise ValueError(f"not a report: {line}")
    report: Report = kind(**fields)
    return report
