"""Bytes against accuracy: the rounds of a task in one process, with every participant in the same encoding.

    python -m tests.benchmarks.encodings deploy/tasks/digits/task.yaml [--only int4,top_k] [--json FILE]

Trainer, encodings, error feedback and exact sums are those of the federation; the sums are weighted means of all
updates. Bytes are those of an update's chunks, scales included, without the envelope.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.error_feedback import ErrorFeedback
from fluvial.edge.packages import Examples
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset, load_participant, num_participants
from fluvial.edge.training.task_code import TaskCode
from fluvial.edge.training.trainer import train
from fluvial.encoding import ENCODINGS, Span, TensorEncoding
from fluvial.encoding.fitting import encode_within
from fluvial.wire.records import Outcome, Receipt, Round
from fluvial.wire.task_file import TaskFile
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, finish
from models.aggregation.precision import fraction_bits
from models.aggregation.weighted_mean import WeightedMean
from models.evaluation.task import evaluator_of
from tests.unit.pipelines.aggregation.builders import a_round

SHOWN = (1, 2, 4, 8)
Vector = NDArray[np.float32]


class Rounds:
    """A task's rounds with one encoding."""

    def __init__(self, task: TaskFile, datasets: list[Dataset], encoding: TensorEncoding, folder: Path) -> None:
        self._task, self._datasets, self._encoding = task, datasets, encoding
        self._config = TrainingConfig.from_mapping(task.training.model_dump())
        self._state = TaskCode(task).state()
        self._layout = self._state.layout
        self._feedback = [ErrorFeedback(folder / f"{encoding.name}-{number}") for number in range(len(datasets))]
        self._bits = fraction_bits(
            WeightedMean(),
            target=len(datasets),
            max_weight=task.limits.max_weight,
            max_abs=task.limits.max_abs,
        )
        self.model = self._state.flatten()
        self.bytes_sent: list[int] = []

    def play(self, number: int) -> None:
        """One round, in which everybody takes part."""
        size = self._task.chunk_elements
        round_ = self._round(number)
        spans = [Span.of(round_, index) for index in range(-(-self.model.size // size))]
        totals = [ChunkSum(span.size, self._bits) for span in spans]
        total_weight = 0
        for participant, dataset in enumerate(self._datasets):
            seed = 1000 * participant + number
            delta, weight = train(self._state, self.model, Examples.of(dataset), self._config, seed)
            encoded = self._encode(participant, round_, delta)
            self.bytes_sent.append(sum(map(len, encoded.chunks)) + 8 * len(encoded.scales))
            for total, span, chunk in zip(totals, spans, encoded.chunks, strict=True):
                add_chunk(total, chunk, encoding=self._encoding.name, span=span, scales=encoded.scales, weight=weight)
            total_weight += weight
        self.model = np.concatenate(
            [
                finish(self.model[span.start : span.start + span.size], total.values, total_weight, self._bits)
                for span, total in zip(spans, totals, strict=True)
            ]
        )

    def _encode(self, participant: int, round_: Round, delta: Vector) -> Any:
        limits = self._task.limits
        if not self._encoding.omits:
            return encode_within(self._encoding, delta, self._layout, round_.chunk_elements, limits.max_norm)
        feedback, upload = self._feedback[participant], f"update-{round_.round}"
        encoded = feedback.encode(self._encoding, round_, delta, upload)
        feedback.answered(
            Receipt(
                task=round_.task,
                round=round_.round,
                attempt=1,
                participant=str(participant),
                update_id=upload,
                outcome=Outcome.INCLUDED,
                version=round_.round,
                weight=1,
                model_digest=bytes(32),
            )
        )
        return encoded

    def _round(self, number: int) -> Round:
        limits = self._task.limits
        return a_round(
            task=self._task.task,
            round=number,
            layout=self._layout,
            num_elements=self.model.size,
            chunk_elements=self._task.chunk_elements,
            max_abs=limits.max_abs,
            max_norm=limits.max_norm,
        )


def main() -> None:
    """A line an encoding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("--only", default=",".join(ENCODINGS), help="encodings, with commas")
    parser.add_argument("--json", type=Path, default=None, help="file for all figures")
    arguments = parser.parse_args()
    task = TaskFile.read(arguments.task)
    if task.evaluation is None:
        parser.error("the task has no evaluation set")
    data = arguments.task.parent / "participants.safetensors"
    datasets = [load_participant(data, number) for number in range(num_participants(data))]
    evaluator = evaluator_of(TaskCode(task), "cpu")
    assert evaluator is not None
    results: dict[str, Any] = {"task": task.task, "participants": len(datasets), "encodings": {}}
    print(f"{'encoding':10}{'bytes':>10}{'ratio':>8}  accuracy after {', '.join(map(str, SHOWN))} rounds")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only.split(","):
            rounds = Rounds(task, datasets, ENCODINGS[name], Path(folder))
            accuracies = []
            for number in range(1, task.rounds + 1):
                rounds.play(number)
                accuracies.append(round(evaluator.measure(rounds.model)["accuracy"], 4))
            size = round(float(np.mean(rounds.bytes_sent)))
            ratio = 4 * rounds.model.size / size
            results["parameters"] = rounds.model.size
            results["encodings"][name] = {"bytes": size, "ratio": round(ratio, 2), "accuracy": accuracies}
            shown = ", ".join(f"{accuracies[n - 1]:.3f}" for n in SHOWN if n <= task.rounds)
            print(f"{name:10}{size:10,}{ratio:8.1f}  {shown}", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
