"""`python -m tests.benchmarks.gateway.run [--output FILE]`: what honest callers of the gateway meet.

Broker, a job with the stages promotion and inference, and `fluvial serve`, all on this machine, with the network of the
task digits. Releases are measured and decided by the stage, operators roll back by the command. In one run: calm;
attackers, and while they are there a swap and a rollback; the broker killed and started again; and a gateway that is
told to end with requests in flight. Each answer is held against what the release that it names gives.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from deploy.bench.seeding import register, wait
from deploy.bench.serving.digits import VARIANT, Releases, task_file
from deploy.bench.serving.open_loop import percentile
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.edge.training.data_files import load_evaluation
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.inference.processor import processor_class
from fluvial.inference.read_releases import read_releases
from fluvial.inference.session import OnnxSession
from fluvial.kafka import Transport, connect
from fluvial.wire.records import GroupCounts, Measurement, PromotionDecision, Variant
from tests.benchmarks.machine import machine

_COMMAND = [sys.executable, "-c", "from fluvial.cli.main import run; run()"]
_CALLER, _OPERATOR = "caller", "north"
_DATA = Path(__file__).resolve().parents[3] / "deploy" / "tasks" / "digits" / "evaluation.safetensors"
_PATIENCE_SECONDS = 60.0


class Served:
    """The federation, and gateways before it. A context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.ends = directory, ExitStack()

    def __enter__(self) -> Served:
        with ExitStack() as ends:
            self.stack = ends.enter_context(Stack(self.directory / "stack", partitions=4, watch=False))
            federation = self.stack.federation
            self.transport: Transport = connect(federation.brokers, "gateway-bench")
            ends.callback(self.transport.close)
            caller, operator = SigningKey.generate(), SigningKey.generate()
            caller.save(self.directory / "caller.pem")
            operator.save(self.directory / "north.pem")
            register(self.transport, federation.topics, self.stack.keys, {_CALLER: caller})
            self.releases = Releases(self.transport, federation.topics, self.stack.keys, _governed(operator))
            self.releases.register()
            self.sessions: dict[int, OnnxSession] = {}
            submission = Submission(stages=("promotion", "inference"), name="gateway-bench")
            self.job = ends.enter_context(LocalJob(self.stack.directory, submission))
            self.job.wait_until_running()
            self.inputs = load_evaluation(_DATA).inputs[:256]
            np.save(self.directory / "inputs.npy", self.inputs)
            self.ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.close()

    def promoted(self, version: int) -> int:
        """Build and measure a version; the number of the decision that lets it serve."""
        variant, artefact = self.releases.built(version), self.releases.artefact
        topics, keys = self.stack.federation.topics, self.stack.keys
        record = seal(_measurement(variant, OnnxSession(artefact).runtime), keys.aggregator, "aggregator", topics.scope)
        wait([self.transport.produce(topics.measurements, record, key=b"aggregator")])
        number = self._decided(lambda each: each.version == version and each.decision is PromotionDecision.PROMOTED)
        self.sessions[number] = OnnxSession(artefact)
        return number

    def roll_back(self, number: int) -> None:
        arguments = ["release", "rollback", "digits", str(number), "--reason", "a rehearsal", "--name", _OPERATOR]
        self.fluvial(*arguments, "--key", str(self.directory / "north.pem"))

    def _decided(self, is_it: Callable[[Any], bool]) -> int:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = [
                each for each in read_releases(self.transport, self.stack.federation).decisions("digits") if is_it(each)
            ]
            if found:
                return int(found[-1].sequence)
            time.sleep(0.1)
        raise TimeoutError("nothing was decided")

    def fluvial(self, *arguments: str) -> None:
        file = str(self.stack.directory.federation_file)
        done = subprocess.run([*_COMMAND, *arguments, "--federation", file], capture_output=True, text=True, timeout=90)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    @contextmanager
    def gateway(self) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """A gateway, and its port."""
        arguments = ["serve", "digits", "--name", _CALLER, "--key", str(self.directory / "caller.pem"), "--port", "0"]
        arguments += ["--federation", str(self.stack.directory.federation_file)]
        with (self.directory / "gateway.log").open("a") as log:
            process = subprocess.Popen([*_COMMAND, *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                assert process.stdout is not None
                found = re.search(r":(\d+)/v2", process.stdout.readline())
                assert found is not None, (self.directory / "gateway.log").read_text()
                yield process, int(found[1])
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()

    @contextmanager
    def started(self, module: str, *arguments: object) -> Iterator[Callable[[], Any]]:
        """A process of this package; called, what it found."""
        out = self.directory / f"{module}.json"
        out.unlink(missing_ok=True)
        words = [sys.executable, "-m", f"tests.benchmarks.gateway.{module}", *map(str, arguments), str(out)]
        process = subprocess.Popen(words)

        def result() -> Any:
            if process.wait(300):
                raise RuntimeError(f"{module} failed")
            return json.loads(out.read_text())

        try:
            yield result
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def honest(self, port: int, per_second: float, seconds: float) -> Any:
        return self.started("honest", port, self.directory / "inputs.npy", per_second, seconds)

    def figures(self, asked: list[dict[str, Any]]) -> dict[str, Any]:
        """What became of requests; wrong: answers that are not those of the release that they name."""
        good = [each for each in asked if each.get("status") == 200]
        milliseconds = np.array([each["ms"] if each in good else np.inf for each in asked])
        found = {
            "requests": len(asked),
            "answered": len(good),
            "others": dict(Counter(_refusal(each) for each in asked if each.get("status") != 200)),
            "releases": {str(n): c for n, c in sorted(Counter(each["promotion"] for each in good).items())},
            "wrong": sum(not self._is_right(each) for each in good),
        }
        return found | {f"p{percent}_ms": percentile(milliseconds, percent) for percent in (50, 95, 99)}

    def _is_right(self, answer: dict[str, Any]) -> bool:
        session = self.sessions.get(answer["promotion"])
        example = self.inputs[answer["example"]][None]
        return session is not None and bool(np.allclose(session.run(example).ravel(), answer["outputs"], atol=1e-4))


def _refusal(asked: dict[str, Any]) -> str:
    return f"{asked.get('status', '')} {asked['error'][:60]}".strip()


def _governed(operator: SigningKey) -> Any:
    """The task digits; one operator may roll back."""
    task = task_file()
    assert task.acceleration is not None
    policy = {"metrics": ["accuracy"], "min_group": 100, "operator_keys": {_OPERATOR: operator.public_key.hex()}}
    acceleration = {**task.acceleration.model_dump(mode="json"), "policy": policy}
    return type(task).model_validate({**task.model_dump(mode="json"), "acceleration": acceleration})


def _measurement(variant: Variant, runtime: str) -> Measurement:
    """As a worker writes it, of a runtime that changes no answer."""
    counts = GroupCounts(metric="accuracy", group="all", both=17_000, harmed=0, helped=0, neither=705)
    return Measurement(
        task=variant.task,
        version=variant.version,
        variant=VARIANT,
        artefact_sha256=variant.artefact_sha256,
        measurer="aggregator",
        data="gate",
        data_sha256=sha256(b"gate").digest(),
        runtime=runtime,
        processor=processor_class(),
        threads=1,
        num_examples=17_705,
        counts=(counts,),
        drops=(),
        latency_p50_us=40.0,
        latency_p95_us=60.0,
        latency_p99_us=0.0,
        calls=500,
        throughput=1e5,
        batch=64,
        processor_us=10.0,
        peak_memory_bytes=1,
        joules=0.0,
        measured_ms=1,
    )


def run(directory: Path, per_second: float, seconds: float, python: str = "") -> dict[str, Any]:
    """python: of an environment with tritonclient[http], for a client that others wrote."""
    found: dict[str, Any] = {"per_second": per_second, "seconds": seconds, "machine": machine()}
    with Served(directory) as served:
        first = served.promoted(1)
        with served.gateway() as (gateway, port):
            with served.honest(port, 5.0, 5.0) as warming:
                warming()
            if python:
                words = [python, "-m", "tests.benchmarks.gateway.independent", str(port)]
                told = subprocess.run([*words, str(served.directory / "inputs.npy")], capture_output=True, text=True)
                found["tritonclient"] = json.loads(told.stdout) if told.returncode == 0 else told.stderr[-2000:]
            with served.honest(port, per_second, seconds) as asking:
                found["calm"] = served.figures(asking())
            with (
                served.honest(port, per_second, 2 * seconds) as asking,
                served.started("attackers", port, 2 * seconds) as attack,
            ):
                time.sleep(seconds / 2)
                second = served.promoted(2)
                time.sleep(seconds / 2)
                served.roll_back(second)
                asked = asking()
                found["attacked"], found["told"] = served.figures(asked), dict(sorted(attack().items()))
            last = {each.get("promotion") for each in asked[-10:]}
            found["swaps"] = {"promoted": [first, second], "last_ten_by": sorted(map(str, last))}
            with served.honest(port, per_second, seconds) as asking:
                time.sleep(seconds / 4)
                served.stack.broker.kill()
                served.stack.broker.start()
                found["broker_killed"] = served.figures(asking())
            with served.honest(port, per_second, seconds / 2) as asking:
                found["afterwards"] = served.figures(asking())
            with served.honest(port, per_second, seconds / 2) as asking:
                time.sleep(seconds / 4)
                began = time.monotonic()
                gateway.send_signal(signal.SIGTERM)
                found["ended"] = {"exit_status": gateway.wait(60), "seconds": round(time.monotonic() - began, 2)}
                found["ended"] |= served.figures(asking())
        found["log"] = (served.directory / "gateway.log").read_text()[-2000:]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-second", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--python", default="", help="of an environment with tritonclient[http]")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(run(Path(folder), arguments.per_second, arguments.seconds, arguments.python), indent=1)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
