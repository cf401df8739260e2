"""A task's simulated federation against one model that is trained on all its participants' examples, by group.

    python -m tests.benchmarks.against_central deploy/tasks/speech [--rounds N] [--seeds 0 1 2]

The central model starts from the task's initial one and makes as many passes over the pooled examples as each
participant makes over its own in all rounds. Both are measured by the task's metrics on its evaluation set. In one
process and one thread. Shares (accuracy, AUC) are in percent; `behind` is in points for them, otherwise in percent of
the central model's value, and positive where the federated model is worse. Of several seeds, which decide the initial
weights, who arrives first and the central model's order of examples, these are means, with the range of `behind`.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from deploy.demo.measures import LOWER_IS_BETTER, is_share, told
from deploy.machine.jars import CHECKOUT
from deploy.simulation.federation import SimulatedFederation
from deploy.simulation.learning import LearningPlan, plan_of
from deploy.simulation.report import line_of
from fluvial.edge.metrics import Measured
from fluvial.edge.packages import joined
from fluvial.edge.training.task_code import TaskCode
from models.central import train_centrally
from models.evaluation.task import evaluator_of

Pair = tuple[Measured, Measured]
"""Federated, central."""


def both(plan: LearningPlan, code: TaskCode) -> Pair:
    """The last round's model and the central one, measured. Raises ValueError for a task that measures nothing."""
    federated, evaluator = None, evaluator_of(code, "cpu")
    federation = SimulatedFederation(plan, workers=1)
    for row in federation.run():
        print(line_of(row), flush=True)
        federated = row.metrics
    if federated is None or evaluator is None:
        raise ValueError("the task has no evaluation set")
    parts = [code.participant_examples(plan.data, number) for number in range(federation.learning.num_participants)]
    training, num_rounds = plan.task_file.training.model_dump(), plan.task_file.rounds
    model = train_centrally(code, joined(parts), training, num_rounds=num_rounds, seed=plan.seed)
    return federated, evaluator.measure_with_groups(model)


def begun_with(plan: LearningPlan, seed: int) -> LearningPlan:
    """The plan with other initial weights; those of the task's file for 0."""
    model = plan.task_file.model
    other = model.model_copy(update={"seed": model.seed + seed})
    return replace(plan, task_file=plan.task_file.model_copy(update={"model": other}))


def behind(metric: str, ours: float, theirs: float) -> float:
    """Points of a share, otherwise percent of the central model's value."""
    difference = ours - theirs if metric in LOWER_IS_BETTER else theirs - ours
    return 100 * difference if is_share(metric) else 100 * difference / abs(theirs)


def lines(runs: Sequence[Pair]) -> Iterator[str]:
    """One for each group, beginning with all examples."""
    last = runs[-1][0]
    named = [("all", 0), *((f"{group.attribute} {group.group}", group.num_examples) for group in last.groups)]
    for place, (name, number) in enumerate(named):
        values = [
            (one.metrics, two.metrics) if place == 0 else (one.groups[place - 1].metrics, two.groups[place - 1].metrics)
            for one, two in runs
        ]
        shown = []
        for metric in values[0][0]:
            if metric == "loss" or any(metric not in side for pair in values for side in pair):
                continue
            distances = [behind(metric, ours[metric], theirs[metric]) for ours, theirs in values]
            ours, theirs, distance = (
                sum(each) / len(runs)
                for each in ([one[metric] for one, _ in values], [two[metric] for _, two in values], distances)
            )
            spread = f" ({min(distances):.1f} to {max(distances):.1f})" if len(runs) > 1 else ""
            shown.append(f"{metric} {told(metric, ours)} central {told(metric, theirs)} behind {distance:.1f}{spread}")
        yield f"{name}{f' ({number})' if number else ''}: {'; '.join(shown)}"


def main() -> None:
    """Federated rounds, then the central model, for each seed, with processor time of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path, help="folder of a task")
    parser.add_argument("--rounds", type=int, help="by default the task's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started, runs = time.process_time(), []
    for seed in arguments.seeds:
        plan = begun_with(plan_of(arguments.task.absolute(), num_rounds=arguments.rounds, seed=seed), seed)
        code = TaskCode.of(plan.task_file, plan.packages, CHECKOUT)
        runs.append(both(plan, code))
    print(f"{arguments.task.name}: {code.state().size} elements, {len(runs)} seeds")
    for line in lines(runs):
        print(line)
    print(f"processor time: {(time.process_time() - started) / len(runs):.1f} s a seed")


if __name__ == "__main__":
    main()
