"""A small federation for the system tests: real stack and jobs, participants of this process, updates by formula.

A participant's update depends on its number and the round alone, so that two tasks with the same seed must come to the
same models, whatever happens to one of them on the way. Models have a thousand parameters in chunks of a hundred, so
that updates travel by reference.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from deploy.acts.tasks import create_task
from deploy.bench.seeding import register
from deploy.bench.usage import java_child
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.auditor.reader import audited_topics
from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.edge import Participant
from fluvial.edge.manifests import read_manifests
from fluvial.edge.rounds import RoundFollower
from fluvial.encoding import ENCODINGS
from fluvial.identity.keys import SigningKey
from fluvial.kafka import connect, read_to_end, snapshot
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelManifest, Receipt, Round, Verdict
from fluvial.wire.task_file import TaskFile
from tests.system.invariants import assert_invariants

STAGES = ("validation", "aggregation", "audit")
NUM_PARTICIPANTS = 6
DENSE = [name for name, codec in ENCODINGS.items() if not codec.omits]
"""What others leave out is owed to a later round, so that its bytes depend on when receipts are read."""
NUM_ROUNDS = 2
_SECONDS = 240.0

MEAN = {"name": "weighted_mean"}
KRUM = {"name": "multi_krum", "num_byzantine": 1}


class SmallFederation:
    """Stack, job and participants in a directory. A context manager; the job is started with `job.start`.

    others: jobs beside it that run further stages (`submit`).
    """

    def __init__(
        self,
        directory: Path,
        *,
        parallelism: int = 2,
        named: bool = True,
        forged: bool = False,
        task_managers: int = 0,
        **settings: Any,
    ) -> None:
        """named, task_managers: as `Stack`. forged: others write to the stages' topics, so that the invariants say
        nothing of them. settings: further ones of the job."""
        self._settings, self._forged = settings, forged
        self.stack = Stack(directory / "stack", watch=False, partitions=3, named=named, task_managers=task_managers)
        self.job = self._new_job(parallelism)
        self.others: list[LocalJob] = []
        self._directory = directory
        self._killer: threading.Timer | None = None
        self._next_parallelism = parallelism
        self._ends = ExitStack()

    def __enter__(self) -> SmallFederation:
        try:
            self._open()
        except BaseException:
            self._ends.close()
            raise
        return self

    def _open(self) -> None:
        self._ends.enter_context(self.stack)
        self._ends.callback(self.stop)
        self.federation = self.stack.federation
        self.transport = connect(self.federation.brokers, "small-federation")
        self._ends.callback(self.transport.close)
        self.rounds = RoundFollower(self.transport, self.federation)
        self._ends.callback(self.rounds.close)
        self.keys = {f"participant-{number}": SigningKey.generate() for number in range(NUM_PARTICIPANTS)}
        register(self.transport, self.federation.topics, self.stack.keys, self.keys)
        self.participants = [
            self._ends.enter_context(
                Participant(self.federation, name, key, self._directory / f"{name}.sqlite", self.transport)
            )
            for name, key in self.keys.items()
        ]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._forged:
                assert_invariants(self.federation)
        finally:
            self._ends.close()

    def _new_job(
        self, parallelism: int, stages: Sequence[str] = STAGES, name: str = "federation", *, take_over: bool = False
    ) -> LocalJob:
        submission = Submission(
            stages=tuple(stages), name=name, parallelism=parallelism, take_over=take_over, settings=self._settings
        )
        return LocalJob(self.stack.directory, submission)

    def submit(self, composition: Sequence[Sequence[str]], name: str, parallelism: int) -> None:
        """Run these jobs in place of those that have ended. name: of the first; the others add their numbers."""
        self.job, *self.others = [
            self._new_job(parallelism, stages, f"{name}-{number}" if number else name)
            for number, stages in enumerate(composition)
        ]
        for job in [self.job, *self.others]:
            self._ends.callback(job.stop)
            job.start()

    def stop(self) -> None:
        """End all jobs."""
        for job in [self.job, *self.others]:
            job.stop()
        self.others = []

    def lose_jobs_and_checkpoints(self) -> None:
        """SIGKILL to every job; what it kept outside of the log is deleted."""
        for job in [self.job, *self.others]:
            job.kill()
        with contextlib.suppress(FileNotFoundError):  # a job that was killed at its beginning has written none
            shutil.rmtree(self.stack.directory.checkpoints)

    def kill_and_restart_after(self, seconds: float, parallelism: int) -> None:
        """SIGKILL to the JVM so many seconds from now; whoever waits then submits the job again, with this
        parallelism."""
        self.wait_until(lambda: java_child(self.job.pid or 0) is not None, "the JVM")
        jvm = java_child(self.job.pid or 0)
        self._next_parallelism = parallelism
        self._killer = threading.Timer(seconds, os.kill, (jvm, signal.SIGKILL))
        self._killer.start()

    def restarted(self) -> None:
        """Wait until what `kill_and_restart_after` announced has happened."""
        if self._killer is not None:
            self._killer.join()
            self.job.wait()
            self._restart()

    def _restart(self) -> None:
        self._killer = None
        self.job.stop()
        self.job = self._new_job(self._next_parallelism)
        self.job.start()

    def create_task(self, task: str, rule: dict[str, Any], **fields: Any) -> None:
        create_task(self.federation, self.stack.keys, task_file(task, rule, **fields))

    def wait_for_round(self, task: str, number: int) -> Round:
        self.wait_until(lambda: self._has_round(task, number), f"round {number} of {task}")
        newest = self.rounds.newest(task)
        assert newest is not None
        return newest

    def _has_round(self, task: str, number: int) -> bool:
        self.rounds.poll(0.05)
        newest = self.rounds.newest(task)
        return newest is not None and newest.round == number

    def publish(self, round_: Round, numbers: Iterable[int]) -> list[str]:
        """Updates of these participants; their ids."""
        return [
            self.participants[number].publish(
                round_, delta(number, round_), weight=1 + number, encoding=DENSE[number % len(DENSE)]
            )
            for number in numbers
        ]

    def wait_for_verdicts(self, numbers: Iterable[int], update_ids: Iterable[str]) -> None:
        for number, update_id in zip(numbers, update_ids, strict=True):
            assert self.participants[number].verdict_of(update_id, _SECONDS) is not None

    def play(self, task: str, numbers: Iterable[int] = range(1, NUM_ROUNDS + 1)) -> None:
        """Rounds in which all take part and nothing happens."""
        for number in numbers:
            self.publish(self.wait_for_round(task, number), range(NUM_PARTICIPANTS))

    def wait_for_version(self, task: str, version: int) -> list[ModelManifest]:
        """The task's manifests up to this version."""
        self.wait_until(lambda: len(self.manifests(task)) > version, f"version {version} of {task}")
        return self.manifests(task)

    def manifests(self, task: str) -> list[ModelManifest]:
        return [manifest for manifest in read_manifests(self.transport, self.federation) if manifest.task == task]

    def audit(self) -> Report:
        """An audit when everything is vouched for, or when it is time that it were."""

        def audited() -> bool:
            with snapshot(self.federation.brokers, audited_topics(self.federation.topics), "test-audit") as reader:
                reports.append(verify(reader, self.federation))
            return reports[-1].verified and not reports[-1].num_pending and bool(reports[-1].signed_size)

        reports: list[Report] = []
        deadline = time.monotonic() + 30.0
        while not audited() and time.monotonic() < deadline:
            time.sleep(1.0)
        return reports[-1]

    def verdicts_by_input(self) -> dict[tuple[int, int], list[str]]:
        """For every record of topic updates the reasons of its verdicts."""
        topics = self.federation.topics
        found: dict[tuple[int, int], list[str]] = {
            (message.partition, message.offset): [] for message in self.read(topics.updates)
        }
        for message in self.read(topics.verdicts):
            verdict = decode(message.value or b"", Verdict)
            found[verdict.source_partition, verdict.source_offset].append(verdict.reason.value)
        return found

    def receipts(self) -> Counter[tuple[str, str]]:
        """How many receipts each update has, by its id and outcome."""
        read = [decode(message.value or b"", Receipt) for message in self.read(self.federation.topics.receipts)]
        return Counter((receipt.update_id, receipt.outcome.value) for receipt in read)

    def read(self, topic: str) -> list[Any]:
        reader = self.transport.read(topic)
        try:
            return list(read_to_end(reader, _SECONDS))
        finally:
            reader.close()

    def wait_until(self, condition: Callable[[], bool], what: str, job: LocalJob | None = None) -> None:
        """job: the one that must live meanwhile; else the federation's own."""
        deadline = time.monotonic() + _SECONDS
        while not condition():
            if self._killer is not None and self.job.pid is None:
                self.restarted()
            living = [job] if job else [self.job, *self.others]
            assert all(one.pid is not None for one in living), f"a job ended\n{self._last_failures()}"
            assert time.monotonic() < deadline, f"waited too long for {what}\n{self._last_failures()}"
            time.sleep(0.05)

    def failures(self) -> str:
        """Lines that tell of a job that failed and started again. Flink logs to a file of its own."""
        return "".join(self._logged("switched from state RUNNING to RESTARTING", "to FAILED"))

    def _last_failures(self) -> str:
        """What the job complained of last."""
        return "".join(self._logged("Caused by", "Error")[-20:])

    def _logged(self, *texts: str) -> list[str]:
        lines = []
        for log in [self.job.log, *self.job.log.parent.glob("log/*.log")]:
            with log.open(errors="replace") as file:
                lines += [line for line in file if any(text in line for text in texts)]
        return lines


def task_file(task: str, rule: dict[str, Any], **fields: Any) -> TaskFile:
    return TaskFile.model_validate(
        {
            "task": task,
            "title": "A thousand parameters",
            "model": {"architecture": "logistic_regression", "parameters": {"inputs": 99, "classes": 10}, "seed": 3},
            "rounds": NUM_ROUNDS,
            "quorum": NUM_PARTICIPANTS,
            "target": NUM_PARTICIPANTS,
            "deadline_seconds": 300,
            "rule": rule,
            "limits": {"max_abs": 100.0, "max_weight": 100},
            "encodings": DENSE,
            "chunk_elements": 100,
            **fields,
        }
    )


def delta(number: int, round_: Round) -> np.ndarray:
    """The last participant's lies far off, so that multi-Krum leaves it out."""
    generator = np.random.default_rng([number, round_.round])
    values = generator.standard_normal(round_.num_elements).astype(np.float32)
    return values * np.float32(10.0 if number == NUM_PARTICIPANTS - 1 else 0.1)
