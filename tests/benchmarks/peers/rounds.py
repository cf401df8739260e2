"""What every system is asked to do: rounds in which each participant receives a model and sends an update as large."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """megabytes: of the model and of each update, in 10^6 bytes of float32."""

    num_participants: int
    megabytes: float

    @property
    def num_elements(self) -> int:
        return round(self.megabytes * 250_000)

    def __str__(self) -> str:
        return f"{self.num_participants}x{self.megabytes:g}"

    @classmethod
    def parse(cls, text: str) -> Shape:
        """`8x40`, `10x0.1`. Raises ValueError."""
        if (found := re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6}(?:\.[0-9]{1,3})?)", text, re.ASCII)) is None:
            raise ValueError(f"{text!r} is not PARTICIPANTSxMEGABYTES, such as 8x40 or 10x0.1")
        shape = cls(num_participants=int(found[1]), megabytes=float(found[2]))
        if not shape.num_participants or not shape.num_elements:
            raise ValueError(f"{text!r} has no participants or no megabytes")
        return shape


class PeerFailed(Exception):
    """A system did not get through its rounds. The message ends with what it said last."""


class Peer(Protocol):
    """A system that is measured. version: as installed and asked for."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def prepare(self, report: Report) -> None:
        """Installs what is missing. Raises PeerFailed."""

    def run(self, shape: Shape, num_rounds: int, directory: Path, time_limit: float, report: Report) -> list[float]:
        """Seconds of each round, one after the other: from one model being there to the next one's.

        directory: empty, the run's own. time_limit: seconds for all of it. Raises PeerFailed.
        """


def differences(times: list[float]) -> list[float]:
    """Seconds between each time and the next."""
    return [after - before for before, after in pairwise(times)]
