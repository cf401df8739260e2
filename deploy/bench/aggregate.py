"""`fluvial bench aggregate`: rounds of large updates through validation and aggregation, on a real stack.

The participants use the edge SDK, in processes of their own or, where there are many, in a few processes together; the
job runs on the local target with two slots in thread mode. All of them, and the broker, share this machine's cores, as
they would share nothing in a real federation.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from deploy.acts.tasks import create_task
from deploy.bench.limits import sequential_read
from deploy.bench.round_times import RoundTimes, summary
from deploy.bench.seeding import register
from deploy.bench.usage import Usage, java_child
from deploy.bench.workers import Workers
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from deploy.machine.errors import start_error
from fluvial.edge.model_files import VARIABLE
from fluvial.edge.publisher import INLINE_BYTES
from fluvial.identity.envelope import open_envelope, unseal
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Message, Start, Transport, connect
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelManifest, ModelUpdate
from fluvial.wire.task_file import Limits, ModelSpec, RuleSpec, TaskFile
from pipelines.replay import kafka_log, replay

TASK = "bench"
STAGES = ("validation", "aggregation")
_START_SECONDS = 120.0
_ROUND_SECONDS = 600.0
_OWN_PROCESS = 16
"""Up to so many participants have a process each."""
_CLASSES = 1000
_POLL_SECONDS = 0.1
"""How often one looks whether the job is still there. A poll ends as soon as there is a record."""

Uploads = Literal["concurrent", "before"]


def run(
    directory: Path,
    *,
    num_participants: int,
    megabytes: float,
    num_rounds: int,
    uploads: Uploads,
    parallelism: int = 2,
    shards: int = 4,
    processes: int = 0,
    at_once: int = 8,
    rule: Mapping[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints; sizes are 10^6 bytes, times seconds.

    uploads: "before" holds all envelopes of a round back until every chunk is in the log; "concurrent" does not.
    shards: of the model, which are the partitions of the tensor topics. processes: that host the participants; 0 for
    one each, or as many as there are cores where participants are many. at_once: participants that upload at a time in
    each process. rule: as in a task file.

    Raises ValueError for a size or rule that cannot be, RuntimeError or TimeoutError when a participant or the job ends
    or does not get on.
    """
    task_file = _task_file(num_participants, num_rounds, megabytes, rule)
    processes = min(num_participants, processes or _num_processes(num_participants))
    participants = {f"participant-{number}": SigningKey.generate() for number in range(1, num_participants + 1)}
    for name, key in participants.items():
        key.save(directory / "participants" / f"{name}.pem")
    with ExitStack() as ends:
        usage = ends.enter_context(Usage())
        report("starting the broker")
        stack = ends.enter_context(Stack(directory / "stack", partitions=shards))
        federation = stack.federation
        transport = connect(federation.brokers, "fluvial-bench")
        ends.callback(transport.close)
        report(f"starting the job ({', '.join(STAGES)}) and {num_participants} participants in {processes} processes")
        submission = Submission(stages=STAGES, name=TASK, parallelism=parallelism)
        job = ends.enter_context(LocalJob(stack.directory, submission))
        register(transport, federation.topics, stack.keys, participants)
        num_elements = create_task(federation, stack.keys, task_file).manifest.num_elements
        hosts = [list(participants)[first::processes] for first in range(processes)]
        arguments = _arguments(stack, directory, num_elements, num_rounds, uploads, at_once)
        workers = ends.enter_context(
            Workers(
                [[*arguments, "--names", ",".join(names)] for names in hosts],
                directory=directory,
                hosted=[len(names) for names in hosts],
                environment={VARIABLE: str(directory / "models")},  # removed with the directory
            )
        )
        workers.wait_for_all("ready", 0, _START_SECONDS)
        watcher = _Watcher(transport, federation.topics.updates, federation.topics.models, stack)
        ends.callback(watcher.close)
        watcher.wait_for_round(1, job)
        usage.watch("broker", stack.broker.pid or 0)
        usage.watch("job client", job.pid or 0)
        usage.watch("operators", java_child(job.pid or 0) or 0)
        for pid in workers.pids:
            usage.watch("participant", pid)
        rounds = []
        opened = time.time()
        workers.tell_all("start")
        for number in range(1, num_rounds + 1):
            times = _play(workers, watcher, usage, job, number, opened, num_participants * num_elements * 4, uploads)
            rounds.append(times)
            opened = times.published
            report(
                f"round {number}: {times.seconds:.2f} s, of them {times.aggregate_seconds:.2f} s from log to model, "
                f"{times.megabytes_per_second:.0f} MB/s"
            )
        report("replaying the last version")
        replayed = replay(ends.enter_context(kafka_log(federation)), TASK, num_rounds)
        figures = summary(rounds)
        read = sequential_read(federation.brokers, federation.topics.update_blobs).megabytes_per_second
        return {
            "participants": num_participants,
            "megabytes": megabytes,
            "uploads": uploads,
            "parallelism": parallelism,
            "shards": shards,
            "processes": processes,
            "rule": task_file.rule.model_dump(mode="json", exclude_none=True),
            **figures,
            "read_megabytes_per_second": read,
            "share_of_sequential_read": figures["megabytes_per_second"] / read,
            "replay": {
                "bit_exact": replayed.bit_exact,
                "seconds": replayed.seconds,
                "megabytes_per_second": replayed.megabytes_per_second,
                "share_of_aggregation": replayed.megabytes_per_second / figures["megabytes_per_second"],
            },
            "peak_rss_mb": {role: round(size, 1) for role, size in usage.megabytes().items()},
        }


def _play(
    workers: Workers,
    watcher: _Watcher,
    usage: Usage,
    job: LocalJob,
    number: int,
    opened: float,
    update_bytes: int,
    uploads: Uploads,
) -> RoundTimes:
    reports = []
    cpu_before = usage.cpu_seconds()
    if uploads == "before":
        reports += workers.wait_for_all("uploaded", number, _ROUND_SECONDS)
        cpu_before = usage.cpu_seconds()
        workers.tell_all("publish")
    reports += workers.wait_for_all("published", number, _ROUND_SECONDS)
    published = watcher.wait_for_model(number, job)
    envelopes = watcher.wait_for_envelopes(number, len(_reports_of("published", number, reports)), job)
    cpu_seconds = {role: seconds - cpu_before[role] for role, seconds in usage.cpu_seconds().items()}
    uploads_ended = _reports_of("uploaded", number, reports)
    return RoundTimes(
        round=number,
        update_bytes=update_bytes,
        opened=opened,
        downloaded=max(each["downloaded"] for each in uploads_ended),
        first_chunk=min(each["uploading"] for each in uploads_ended),
        uploaded=max(each["time"] for each in uploads_ended),
        first_envelope=min(envelopes),
        last_envelope=max(envelopes),
        published=published,
        cpu_seconds=cpu_seconds,
    )


def _reports_of(event: str, number: int, reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of one event in one round."""
    return [each for each in reports if (each["event"], each["round"]) == (event, number)]


class _Watcher:
    """Follows envelopes and models as any reader of committed records sees them."""

    def __init__(self, transport: Transport, updates: str, models: str, stack: Stack) -> None:
        self._updates = transport.read(updates, Start.END)
        self._models = transport.read(models, Start.END)
        self._rounds = transport.read(stack.federation.topics.rounds)
        self._envelopes: dict[int, list[float]] = defaultdict(list)
        self._aggregator_key = bytes.fromhex(stack.federation.aggregator_key)
        self._scope = stack.federation.topics.scope

    def wait_for_round(self, number: int, job: LocalJob) -> None:
        """Until the first round is announced, which says that the job is up."""
        for _ in _until(_START_SECONDS, "no round was opened", job):
            if self._rounds.poll(_POLL_SECONDS):
                return

    def wait_for_envelopes(self, number: int, expected: int, job: LocalJob) -> list[float]:
        """The broker's times of a round's envelopes."""
        for _ in _until(_ROUND_SECONDS, f"round {number} has not {expected} envelopes", job):
            if len(self._envelopes[number]) >= expected:
                return self._envelopes.pop(number)
            for message in self._updates.poll(_POLL_SECONDS):
                update = decode(open_envelope(message.value or b"").payload, ModelUpdate)
                self._envelopes[update.round].append(message.timestamp_ms / 1000)
        raise AssertionError

    def wait_for_model(self, version: int, job: LocalJob) -> float:
        """When the version was visible."""
        for _ in _until(_ROUND_SECONDS, f"version {version} was not published", job):
            for message in self._models.poll(_POLL_SECONDS):
                if self._version(message) == version:
                    return time.time()
        raise AssertionError

    def _version(self, message: Message) -> int:
        return unseal(message.value or b"", ModelManifest, self._aggregator_key, self._scope).version

    def close(self) -> None:
        for reader in (self._updates, self._models, self._rounds):
            reader.close()


def _until(timeout_seconds: float, failure: str, job: LocalJob) -> Iterator[None]:
    """Goes on until the caller has what it waits for. Raises TimeoutError, or what ended the job."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if job.pid is None:
            raise start_error("the job ended", job.log)
        yield
    raise TimeoutError(f"{failure} within {timeout_seconds:.0f} s: see {job.log}")


def _num_processes(num_participants: int) -> int:
    return num_participants if num_participants <= _OWN_PROCESS else os.cpu_count() or 1


def _task_file(num_participants: int, num_rounds: int, megabytes: float, rule: Mapping[str, Any] | None) -> TaskFile:
    """The model is one layer of exactly the size asked for, too large to travel in an envelope."""
    rows = round(megabytes * 250_000 / _CLASSES)
    if abs(rows * _CLASSES - megabytes * 250_000) > 1e-3 or megabytes * 1e6 <= INLINE_BYTES:
        raise ValueError(f"{megabytes:g} MB: the size must be a multiple of 0.004 MB, and at least 0.068 MB")
    return TaskFile(
        task=TASK,
        title="Measurement of aggregation",
        model=ModelSpec(architecture="logistic_regression", parameters={"inputs": rows - 1, "classes": _CLASSES}),
        rounds=num_rounds,
        quorum=num_participants,
        target=num_participants,
        deadline_seconds=_ROUND_SECONDS,
        rule=RuleSpec() if rule is None else RuleSpec.model_validate(rule),
        limits=Limits(max_abs=1.0, max_weight=1),
    )


def _arguments(
    stack: Stack, directory: Path, num_elements: int, num_rounds: int, uploads: Uploads, at_once: int
) -> list[str]:
    options = {
        "--federation": stack.directory.federation_file,
        "--folder": directory / "participants",
        "--task": TASK,
        "--elements": num_elements,
        "--rounds": num_rounds,
        "--at-once": at_once,
    }
    arguments = [str(part) for option in options.items() for part in option]
    return ["-m", "deploy.bench.participants", *arguments, *(["--hold"] if uploads == "before" else [])]
