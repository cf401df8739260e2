"""`fluvial bench inference`: requests a second and latencies of released models, from an open-loop load.

The network of the task digits, one job with the stage inference, the broker and the load, all on this machine. Beside
it, in the same run and with the same load, the same network behind plain FastAPI and torch (`deploy.bench.serving`).
Inputs are sent as what pictures are, a byte for each of 784 values; all requests are one caller's, as a gateway's are.
Phases, each with arrival times of its own:

* `single`: one example a request. At half the target rate for latencies, and at the target for the rate.
* `batches`: records of 64 examples, likewise.
* `swaps`: as the first at half the rate, in whose second half a new release is promoted every two seconds.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from deploy.bench.seeding import register
from deploy.bench.serving.digits import PICTURE_DIVISOR, Releases, pictures, task_file
from deploy.bench.serving.load_process import LoadProcess
from deploy.bench.serving.open_loop import Outcome
from deploy.bench.usage import Usage, java_child
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.edge.training.data_files import load_evaluation
from fluvial.identity.keys import SigningKey
from fluvial.inference.client import Client, InferenceRefused
from fluvial.kafka import connect

TARGETS: Mapping[str, tuple[int, float]] = {"single": (1, 5_000.0), "batches": (64, 25_000.0)}
"""Examples in a request, and examples a second that are asked for."""

SWAP_SECONDS = 2.0
_CALLER = "caller"
_WARM_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
_DATA = Path(__file__).resolve().parents[1] / "tasks" / "digits" / "evaluation.safetensors"


def run(
    directory: Path,
    *,
    seconds: float = 10.0,
    parallelism: int = 1,
    compared: bool = True,
    phases: Sequence[str] = ("single", "batches", "swaps"),
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. seconds: of each load. Returns what `--json` prints. Raises TimeoutError."""
    inputs = directory / "inputs.npy"
    np.save(inputs, pictures(load_evaluation(_DATA).inputs[:1024]))
    found: dict[str, Any] = {"seconds": seconds, "parallelism": parallelism, "cores": os.cpu_count()}
    with ExitStack() as ends:
        report("starting the broker and the job (inference)")
        served = ends.enter_context(_Served(directory, inputs, parallelism))
        served.measure("warming", 1, 1_000.0, _WARM_SECONDS)
        for phase in (phase for phase in phases if phase in TARGETS):
            examples, target = TARGETS[phase]
            for name, rate in (("half", target / 2), ("full", target)):
                report(f"{phase}: {rate:.0f} examples a second, {examples} in a request")
                found[f"{phase}_{name}"] = served.figures(f"{phase}-{name}", examples, rate / examples, seconds)
        if "swaps" in phases:
            report("swaps of releases at half the rate")
            found["swaps"] = served.swaps(TARGETS["single"][1] / 2, 2 * seconds)
        found["peak_rss_mb"] = served.memory()
    if compared:
        with _Compared(directory, inputs) as other:
            other.measure("warming", 1, 100.0, 2.0)
            for phase in (phase for phase in phases if phase in TARGETS):
                examples, target = TARGETS[phase]
                for name, rate in (("half", target / 2), ("full", target)):
                    report(f"{phase}: the same load on FastAPI and torch")
                    outcome = other.measure(f"torch-{phase}-{name}", examples, rate / examples, seconds)
                    found[f"torch_{phase}_{name}"] = outcome.figures(examples)
                ours, theirs = found[f"{phase}_full"], found[f"torch_{phase}_full"]
                ratio = ours["answered_per_second"] / max(theirs["answered_per_second"], 1e-9)
                found[f"ratio_{phase}"] = round(ratio, 2)
    return found


class _Served:
    """A broker, a job with the stage inference, and a release that it serves. A context manager."""

    def __init__(self, directory: Path, inputs: Path, parallelism: int) -> None:
        self._directory, self._inputs, self._parallelism = directory, inputs, parallelism

    def __enter__(self) -> _Served:
        with ExitStack() as ends:
            self._usage = ends.enter_context(Usage())
            stack = self._stack = ends.enter_context(Stack(self._directory / "stack", partitions=4))
            transport = connect(stack.federation.brokers, "fluvial-bench")
            ends.callback(transport.close)
            key = SigningKey.generate()
            self._key = self._directory / "caller.pem"
            key.save(self._key)
            register(transport, stack.federation.topics, stack.keys, {_CALLER: key})
            self._releases = Releases(transport, stack.federation.topics, stack.keys, task_file())
            self._releases.register()
            self._variant = self._releases.built(1)
            self._releases.promote(self._variant)
            submission = Submission(stages=("inference",), name="bench", parallelism=self._parallelism)
            job = ends.enter_context(LocalJob(stack.directory, submission))
            job.wait_until_running()
            self._usage.watch("broker", stack.broker.pid or 0)
            self._usage.watch("operators", java_child(job.pid or 0) or 0)
            self._await_answer(key)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def measure(self, name: str, examples: int, per_second: float, seconds: float) -> Outcome:
        """A load from begin to end."""
        with self._load(name, examples, per_second, seconds) as load:
            load.start()
            return load.outcome()

    def figures(self, name: str, examples: int, per_second: float, seconds: float) -> dict[str, Any]:
        """What a load met, and the processor time of each example by role."""
        with self._load(name, examples, per_second, seconds) as load:
            before = self._usage.cpu_seconds()
            load.start()
            outcome = load.outcome()
            after = self._usage.cpu_seconds()
        count = len(outcome.intended) * examples
        used = {role: round((after[role] - before[role]) * 1e6 / count, 1) for role in before}
        return {**outcome.figures(examples), "repeated": outcome.repeated, "cpu_microseconds_per_example": used}

    def swaps(self, per_second: float, seconds: float) -> dict[str, Any]:
        """Latencies before and during swaps, and what each answer rests on."""
        others = [self._releases.built(version) for version in range(2, 2 + int(seconds / 2 / SWAP_SECONDS))]
        with self._load("swaps", 1, per_second, seconds) as load:
            load.start()
            time.sleep(seconds / 2)
            first = time.monotonic()
            promoted = [self._releases.promoted]
            for variant in others:  # each a newer version: an older one would take no other's place
                promoted.append(self._releases.promote(variant))
                time.sleep(SWAP_SECONDS)
            outcome = load.outcome()
        before, during = outcome.since(0.0, first).figures(), outcome.since(first).figures()
        served = sorted({int(number) for number in outcome.promotion[~outcome.refused]})
        served = [number for number in served if number in promoted]
        return {
            "swaps": len(served) - 1,
            "served": served,
            "failed": outcome.failed,
            "mixed": outcome.repeated,
            "before": before,
            "during": during,
            "p99_ratio": round(during.get("p99_ms", -1.0) / before.get("p99_ms", 1.0), 2),
        }

    def memory(self) -> dict[str, float]:
        return {role: round(size, 1) for role, size in self._usage.megabytes().items()}

    def _load(self, name: str, examples: int, per_second: float, seconds: float) -> LoadProcess:
        arguments = ["--federation", str(self._stack.directory.federation_file), "--name", _CALLER]
        arguments += ["--key", str(self._key), "--task", self._variant.task]
        arguments += _common(self._inputs, examples, per_second, seconds)
        return LoadProcess("deploy.bench.serving.kafka_load", self._directory / f"{name}.npz", arguments)

    def _await_answer(self, key: SigningKey) -> None:
        """Until the job answers."""
        example = np.load(self._inputs, allow_pickle=False)[:1]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with Client(self._stack.federation, _CALLER, key) as client:
            while True:
                try:
                    client.infer(self._variant.task, example, _PATIENCE_SECONDS, divisor=PICTURE_DIVISOR)
                    return
                except InferenceRefused:
                    if time.monotonic() > deadline:
                        raise


class _Compared:
    """FastAPI and torch. A context manager."""

    def __init__(self, directory: Path, inputs: Path) -> None:
        self._directory, self._inputs = directory, inputs

    def __enter__(self) -> _Compared:
        specification = self._directory / "task.json"
        specification.write_text(task_file().specification(), encoding="utf-8")
        self._port = _free_port()
        module = "deploy.bench.serving.torch_server"
        self._process = subprocess.Popen([sys.executable, "-m", module, str(specification), str(self._port)])
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1.0).close()
                return self
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError("the service to compare with does not start") from error
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def measure(self, name: str, examples: int, per_second: float, seconds: float) -> Outcome:
        """A load from begin to end."""
        arguments = ["--port", str(self._port), *_common(self._inputs, examples, per_second, seconds)]
        with LoadProcess("deploy.bench.serving.http_load", self._directory / f"{name}.npz", arguments) as load:
            load.start()
            return load.outcome()


def _common(inputs: Path, examples: int, per_second: float, seconds: float) -> list[str]:
    load = ["--examples", str(examples), "--per-second", str(per_second), "--seconds", str(seconds)]
    return ["--inputs", str(inputs), *load]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
