"""A task's simulated federation against one model that is trained on all its participants' examples, by group.

    python -m tests.benchmarks.against_central deploy/tasks/speech [--rounds N] [--seed N]

The central model starts from the task's initial one and makes as many passes over the pooled examples as each
participant makes over its own in all rounds. Both are measured by the task's metrics on its evaluation set. In one
process and one thread. Figures are points (hundredths) but for the loss; `behind` is central minus federated.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from deploy.simulation.federation import SimulatedFederation
from deploy.simulation.learning import plan_of
from deploy.simulation.report import line_of
from fluvial.edge.metrics import Measured
from fluvial.edge.packages import joined
from fluvial.edge.training.task_code import TaskCode
from models.central import train_centrally
from models.evaluation.task import evaluator_of


def lines(federated: Measured, central: Measured) -> Iterator[str]:
    """One for each group and metric, beginning with all examples."""
    both = [
        ("all", 0, federated.metrics, central.metrics),
        *(
            (f"{one.attribute} {one.group}", one.num_examples, one.metrics, other.metrics)
            for one, other in zip(federated.groups, central.groups, strict=True)
        ),
    ]
    for name, number, ours, theirs in both:
        shown = [
            f"{metric} {100 * ours[metric]:.1f} central {100 * theirs[metric]:.1f} "
            f"behind {100 * (theirs[metric] - ours[metric]):.1f}"
            for metric in ours
            if metric != "loss" and metric in theirs
        ]
        yield f"{name}{f' ({number})' if number else ''}: {'; '.join(shown)}"


def main() -> None:
    """Federated rounds, then the central model, with processor time of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path, help="folder of a task with a package")
    parser.add_argument("--rounds", type=int, help="by default the task's")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plan = plan_of(arguments.task.absolute(), num_rounds=arguments.rounds, seed=arguments.seed)
    if plan.task_file.evaluation is None or plan.task_file.data.participant is None:
        parser.error("the task needs an evaluation set and a package that loads its participants' examples")
    started = time.process_time()
    federation = SimulatedFederation(plan, workers=1)
    for row in federation.run():
        print(line_of(row), flush=True)
        federated = row.metrics
    trained = time.process_time()
    code = TaskCode.of(plan.task_file, plan.packages)
    parts = [code.participant_examples(plan.data, number) for number in range(federation.learning.num_participants)]
    training, num_rounds = plan.task_file.training.model_dump(), plan.task_file.rounds
    model = train_centrally(code, joined(parts), training, num_rounds=num_rounds, seed=arguments.seed)
    evaluator = evaluator_of(code, "cpu")
    assert evaluator is not None
    assert federated is not None
    central = evaluator.measure_with_groups(model)
    print(
        f"{code.state().size} elements; examples {[len(part) for part in parts]}, of {evaluator.num_examples} measured"
    )
    for line in lines(federated, central):
        print(line)
    print(f"processor time: federated {trained - started:.1f} s, central {time.process_time() - trained:.1f} s")


if __name__ == "__main__":
    main()
