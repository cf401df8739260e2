"""How fast federations learn: research figures, not a test.

    python -m tests.benchmarks.convergence SOURCE [--output FILE.json] [--studies rounds stragglers optimizers]
    python -m tests.benchmarks.convergence --quick

SOURCE is a folder with MNIST's training set and the writer of each image, as deploy/tasks/digits/prepare.py wants it;
without it the much smaller data of the task digits serve. A finished run is written at once and not run again. Beside
the JSON document come tables (Markdown) and, where matplotlib is installed, plots (SVG and PNG). The whole takes about
a quarter of an hour of one core.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.attacks import machine
from tests.benchmarks.convergence_data import read_mnist, read_task
from tests.benchmarks.convergence_plots import PlotError, plot
from tests.benchmarks.convergence_runs import RUNS, Run
from tests.benchmarks.convergence_table import Curve, markdown

RESULTS = Path(__file__).parent / "results"


def key(run: Run) -> str:
    """What tells runs apart: all that they depend on."""
    return json.dumps(asdict(run), sort_keys=True)


def load(path: Path, source: str) -> dict[str, Any]:
    """Finished runs by key. Raises ValueError if they were made of other data."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    if document["source"] != source:
        raise ValueError(f"{path} was made of other data: {document['source']}")
    return {json.dumps(entry["run"], sort_keys=True): entry for entry in document["runs"]}


def curves(runs: Sequence[Run], finished: dict[str, Any]) -> list[Curve]:
    """What is finished of the runs, in their order."""
    entries = [(run, finished[key(run)]) for run in runs if key(run) in finished]
    return [Curve(study=run.study, name=run.name, points=tuple(map(tuple, entry["points"]))) for run, entry in entries]


def save(path: Path, source: str, runs: Sequence[Run], finished: dict[str, Any]) -> None:
    """Write the document, a run a line, and the tables beside it."""
    head = json.dumps({"machine": machine(), "source": source, "columns": ["version", "updates", "time", "accuracy"]})
    lines = [json.dumps(finished[key(run)]) for run in runs if key(run) in finished]
    partial = path.with_suffix(".partial")
    partial.write_text(head[:-1] + ', "runs": [\n' + ",\n".join(lines) + "\n]}\n")
    partial.replace(path)
    path.with_suffix(".md").write_text(markdown(curves(runs, finished), source))


def main() -> None:
    """Run what is missing; one line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, default=RESULTS / "convergence.json")
    parser.add_argument("--studies", nargs="+", default=["rounds", "stragglers", "optimizers"])
    parser.add_argument("--quick", action="store_true", help="three versions of each, to see that it works")
    arguments = parser.parse_args()
    digits = read_mnist(arguments.source) if arguments.source else read_task()
    runs = [replace(run, versions=3) if arguments.quick else run for run in RUNS]
    finished = load(arguments.output, digits.source)
    for run in runs:
        if run.study not in arguments.studies or key(run) in finished:
            continue
        started = time.process_time()
        points = [
            (point.version, point.updates, round(point.time, 3), round(point.accuracy, 4))
            for point in run.points(digits)
        ]
        seconds = round(time.process_time() - started, 1)
        finished[key(run)] = {"run": asdict(run), "cpu_seconds": seconds, "points": points}
        save(arguments.output, digits.source, runs, finished)
        print(f"{run.study}: {run.name}: {points[-1][-1]:.4f} after {len(points)} versions, {seconds} s", flush=True)
    save(arguments.output, digits.source, runs, finished)
    try:
        plot(curves(runs, finished), arguments.output)
    except PlotError as error:
        print(error)


if __name__ == "__main__":
    main()
