"""What a task's settings can be expected to give: its rounds in one process, without broker and engine.

    python -m tests.benchmarks.simulate_task deploy/tasks/digits/task.yaml --poisoner 3 --forger 7 --replayer 11

Trainer, admission limits, rules and exact sums are those of the federation. The poisoner sends its delta negated and
times ten; nothing of the forger is ever accepted; the replayer sends an old envelope instead of training in every
other round. Updates arrive in random order, and those after the target are late. The central model sees everybody's
examples, also the adversaries', as often.
"""

import argparse
import time
from collections.abc import Sequence
from hashlib import sha256
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.packages import Examples
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset, load_all_participants, load_participant, num_participants
from fluvial.edge.training.task_code import TaskCode
from fluvial.edge.training.trainer import train
from fluvial.encoding.inspection import inspect
from fluvial.wire.task_file import TaskFile
from models.aggregation.combination import combine_chunk, next_chunk
from models.aggregation.gram import partial_gram, total_gram
from models.aggregation.plan import Measure, RoundUpdates
from models.aggregation.precision import fraction_bits
from models.aggregation.rule import parse_rule
from models.central import train_centrally
from models.evaluation.inference import Evaluator
from models.evaluation.task import evaluator_of

POISON = np.float32(-10)
Vector = NDArray[np.float32]


def norm_of(delta: Vector) -> float:
    """L2 norm, as admission computes it."""
    return sqrt(inspect(delta)[2])


def aggregate(
    task: TaskFile, base: Vector, deltas: Sequence[Vector], weights: Sequence[int]
) -> tuple[Vector, list[int]]:
    """New model and the rows that the rule took in, chunk by chunk."""
    rule = parse_rule(task.rule.model_dump())
    bits = fraction_bits(rule, target=task.target, max_weight=task.limits.max_weight, max_abs=task.limits.max_abs)
    chunks = [slice(first, first + task.chunk_elements) for first in range(0, base.size, task.chunk_elements)]
    gram = None
    if rule.measure is not Measure.NONE:
        gram = total_gram(partial_gram([delta[chunk] for delta in deltas]) for chunk in chunks)
    updates = RoundUpdates(participants=tuple(map(str, range(len(deltas)))), weights=tuple(weights))
    plan = rule.plan(updates, gram)
    parts = [next_chunk(base[chunk], combine_chunk([delta[chunk] for delta in deltas], plan, bits)) for chunk in chunks]
    return np.concatenate(parts), [row for row, weight in enumerate(plan.effective_weights) if weight]


def run(task: TaskFile, datasets: Sequence[Dataset], evaluator: Evaluator, arguments: argparse.Namespace) -> Vector:
    """All rounds; prints one line each."""
    config = TrainingConfig.from_mapping(task.training.model_dump())
    state = TaskCode(task).state()
    model = state.flatten()
    for number in range(1, task.rounds + 1):
        contributions: list[tuple[int, Vector, int]] = []
        refused: list[str] = []
        for participant, dataset in enumerate(datasets):
            if participant == arguments.forger or (participant == arguments.replayer and number % 2 == 0):
                continue
            seed = arguments.seed + 1000 * participant + number
            delta, weight = train(state, model, Examples.of(dataset), config, seed)
            if participant == arguments.poisoner:
                delta = delta * POISON
            _, max_abs, squares = inspect(delta)
            norm = sqrt(squares)
            if max_abs > task.limits.max_abs or (task.limits.max_norm and norm > task.limits.max_norm):
                refused.append(f"{participant} (norm {norm:.2f}, largest {max_abs:.2f})")
            else:
                contributions.append((participant, delta, weight))
        arrived = np.random.default_rng([arguments.seed, number]).permutation(len(contributions))[: task.target]
        late = sorted(contributions[index][0] for index in range(len(contributions)) if index not in arrived)
        contributions = [contributions[index] for index in arrived]
        contributions.sort(key=lambda contribution: sha256(contribution[1].tobytes()).digest())
        deltas, weights = [delta for _, delta, _ in contributions], [weight for _, _, weight in contributions]
        norms = [norm_of(delta) for participant, delta, _ in contributions if participant != arguments.poisoner]
        model, rows = aggregate(task, model, deltas, weights)
        excluded = sorted(
            {participant for participant, _, _ in contributions} - {contributions[row][0] for row in rows}
        )
        metrics = " ".join(f"{name} {value:.4f}" for name, value in evaluator.measure(model).items())
        print(
            f"round {number}: {metrics}; honest norms {min(norms):.2f} .. {max(norms):.2f}; taken in {len(rows)}, "
            f"excluded {excluded}, late {late}, refused {', '.join(refused) or 'none'}"
        )
    return model


def main() -> None:
    """Federated rounds, then the central model, with processor time of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("--poisoner", type=int, default=-1, help="participant's number; none by default")
    parser.add_argument("--forger", type=int, default=-1)
    parser.add_argument("--replayer", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    task = TaskFile.read(arguments.task)
    if task.evaluation is None:
        parser.error("the task has no evaluation set")
    data = arguments.task.parent / "participants.safetensors"
    datasets = [load_participant(data, number) for number in range(num_participants(data))]
    code = TaskCode(task)
    evaluator = evaluator_of(code, "cpu")
    assert evaluator is not None
    sizes = [len(dataset) for dataset in datasets]
    print(f"{code.state().size} elements; examples {sizes}, evaluation {evaluator.num_examples}")
    started = time.process_time()
    federated = evaluator.measure(run(task, datasets, evaluator, arguments))
    trained = time.process_time()
    pooled = Examples.of(load_all_participants(data))
    central = evaluator.measure(
        train_centrally(code, pooled, task.training.model_dump(), num_rounds=task.rounds, seed=0)
    )
    print(f"federated {federated}, {trained - started:.1f} s of processor time")
    print(f"central {central}, {time.process_time() - trained:.1f} s of processor time")
    points = {name: round(100 * (central[name] - federated[name]), 2) for name in federated if name != "loss"}
    print(f"points behind the central model: {points}")


if __name__ == "__main__":
    main()
