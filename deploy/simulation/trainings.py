"""What participants have trained, each once for a round, and together with those who are next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.simulation.memory_log import MemoryLog
from deploy.simulation.workers import Trained, Work, Workers
from fluvial.wire.records import Round, Task

Key = tuple[int, int]
"""Participant and round."""


class Trainings:
    """folder: for base models, and what participants remember between rounds. names: of the participants."""

    def __init__(
        self, workers: Workers, log: MemoryLog, task: Task, names: Sequence[str], encoding: str, folder: Path
    ) -> None:
        self._workers, self._log, self._task, self._names = workers, log, task, names
        self._encoding, self._folder = encoding, folder
        self._results: dict[Key, Callable[[], Trained]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._results

    def begin(self, round_: Round) -> None:
        """Keep the round's base model for those who train from it; forget what no round takes any more."""
        base = self._base(round_)
        if not base.exists():
            base.write_bytes(b"".join(map(self._log.model_chunk, round_.base_chunks)))
        oldest = round_.round - round_.max_staleness
        self._results = {key: result for key, result in self._results.items() if key[1] >= oldest}
        for file in self._folder.glob("base-*"):
            if int(file.name.rpartition("-")[2]) < round_.base_version - round_.max_staleness:
                file.unlink()

    def result(self, participant: int, round_: Round, next_ones: Callable[[Round], Sequence[int]]) -> Trained:
        """What the participant has trained for the round. next_ones: who will be asked for next; they train meanwhile,
        as far as they have not."""
        key = participant, round_.round
        if key not in self._results:
            others = [one for one in next_ones(round_) if (one, round_.round) not in self._results]
            self._start(round_, [participant, *others])
        return self._results[key]()

    def _start(self, round_: Round, participants: Sequence[int]) -> None:
        for part in self._workers.slices([(number, self._names[number]) for number in participants]):
            work = Work(
                task=self._task,
                round=round_,
                members=part,
                base=self._base(round_),
                encoding=self._encoding,
                state=self._folder / "state",
            )
            result = self._workers.submit(work)
            for place, (number, _) in enumerate(part):
                self._results[number, round_.round] = _at(result, place)

    def _base(self, round_: Round) -> Path:
        return self._folder / f"base-{round_.base_version}"


def _at(result: Callable[[], list[Trained]], place: int) -> Callable[[], Trained]:
    return lambda: result()[place]
