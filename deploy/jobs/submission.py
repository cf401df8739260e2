"""Submitting stages as a job: to a local Flink in a child process, or to the session cluster.

Both run pipelines.main: one code path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from deploy.cluster import flink_home
from deploy.cluster.rest import ENDED, RestClient
from deploy.federation.directory import DataDirectory
from deploy.jobs.code import JobCode, forget_code, keep_code
from deploy.jobs.holders import arguments_for
from deploy.jobs.job_process import JobProcess
from deploy.jobs.settings import job_settings
from deploy.jobs.submitting import submitting, was_cut_short
from deploy.machine import class_archives, compilers
from deploy.machine.errors import StackError, start_error
from deploy.machine.jars import CHECKOUT
from fluvial.cli.interruption import uninterrupted
from fluvial.identity.federation import Federation
from pipelines.config import Settings
from pipelines.flink.cluster import CLUSTER
from pipelines.flink.jars import flink_jars
from pipelines.topology import stages_named

# The heavy work is Python's and C's: the parallel collector costs more than it brings.
_LOCAL_JVM = ("-Xms96m", "-Xmx256m", "-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC", "-XX:-UsePerfData")
_CLIENT_JVM = ("-Xmx256m", "-XX:+UseSerialGC", compilers.FIRST, "-XX:-UsePerfData")
_START_SECONDS = 120.0
_CLIENT_END_SECONDS = 15.0
_JOB_ID = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job to be, which starts from the log. name: also of its checkpoints and reader group, so two running jobs never
    share one.

    savepoint: start from this state instead; it must be the last thing that a job of these stages did, because what the
    log holds beyond it would be done a second time. take_over: take stages also from jobs that are alive, which then
    end. settings: further fields of pipelines.config.Settings.
    """

    stages: tuple[str, ...]
    name: str = ""
    parallelism: int = 1
    savepoint: Path | None = None
    take_over: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stages_named(list(self.stages))
        if not _NAME.fullmatch(self.job_name):
            raise ValueError(f"{self.job_name!r} cannot be a job's name: lower-case letters, digits, and . _ -")
        if self.savepoint is not None and not (self.savepoint / "_metadata").is_file():
            raise ValueError(f"{self.savepoint} is no savepoint and no complete checkpoint: it holds no _metadata")

    @property
    def job_name(self) -> str:
        return self.name or "-".join(self.stages)

    def write(self, directory: DataDirectory, federation: Federation) -> tuple[Path, Settings]:
        """Write the settings file that pipelines.main reads."""
        settings = job_settings(
            directory, federation, parallelism=self.parallelism, savepoint=self.savepoint, **self.settings
        )
        file = directory.jobs / f"{self.job_name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(settings.model_dump_json(indent=1))
        return file, settings

    def arguments(self) -> list[str]:
        """What `pipelines.main` can be told before the settings are known."""
        return ["--stages", ",".join(self.stages), "--name", self.job_name]


class LocalJob:
    """A job in a child process with a Flink of its own. It ends with this process, and with the thread of `begin`."""

    def __init__(self, directory: DataDirectory, submission: Submission, federation: Federation | None = None) -> None:
        self.name = submission.job_name
        self._folder = directory.jobs / self.name
        self.log = self._folder / "job.log"
        self._checkpoints = directory.checkpoints / self.name
        self._directory, self._submission, self._federation = directory, submission, federation
        self._process: JobProcess | None = None
        self._is_told = False
        self._lock: IO[str] | None = None
        self._former_runs: frozenset[Path] = frozenset()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def begin(self) -> None:
        """Start its process, which gets ready and waits for `start`: the federation may not be there yet.

        Raises StackError if the name runs here.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._process = self._begun()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Start it, from the log; `wait_until_running` waits.

        Raises StackError if the name runs here, or a stage has a holder that is alive.
        """
        if self._process is None:
            self.begin()
        elif self._is_told:
            raise StackError(f"the job {self.name} runs already: stop it first")
        self._is_told = True
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        assert self._process is not None
        federation, submission = self._federation or self._directory.federation(), self._submission
        settings_file, settings = submission.write(self._directory, federation)
        taking = arguments_for(settings, submission.stages, take_over=submission.take_over)
        self._former_runs = frozenset(self._runs())
        self._process.tell(["--settings", str(settings_file), *taking])

    def _begun(self) -> JobProcess:
        submission = self._submission
        (self._folder / "tmp").mkdir(exist_ok=True)
        java_options = [
            *class_archives.options("local-job"),
            *_LOCAL_JVM,
            *compilers.of_a_job(submission.stages, self._folder),
            "-Djava.io.tmpdir=tmp",
        ]
        environment = _surroundings(self._folder, java_options)
        return JobProcess(submission.arguments(), log=self.log, environment=environment, folder=self._folder)

    def wait_until_running(self, timeout_seconds: float = _START_SECONDS) -> None:
        """Wait for the first checkpoint: then every operator runs. Raises StartError with the end of the log."""
        deadline = time.monotonic() + timeout_seconds
        while not any(any(run.glob("chk-*/_metadata")) for run in self._runs() if run not in self._former_runs):
            if self.pid is None:
                raise start_error(f"the job {self.name} ended while it started", self.log, has_last_word=True)
            if time.monotonic() > deadline:
                raise start_error(f"the job {self.name} was not running in {timeout_seconds:.0f} s", self.log)
            time.sleep(0.05)

    def wait(self) -> int:
        """Wait until it ends by itself; its exit status."""
        if self._process is None:
            raise StackError(f"the job {self.name} was not started")
        return self._process.wait()

    def stop(self) -> None:
        """End it. What it has not committed is made again by whoever takes its stages next."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._is_told = False
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """SIGKILL to the process that runs the operators and to the one that started it, as a crash does it."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def __enter__(self) -> LocalJob:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _runs(self) -> list[Path]:
        return list(self._checkpoints.glob("*")) if self._checkpoints.exists() else []

    def _take_lock(self) -> None:
        lock = (self._folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StackError(
                f"a job {self.name} runs already in this data directory: stop it first, or give this one another "
                "--name if it has other stages"
            ) from None
        self._lock = lock


def submit_to_session(directory: DataDirectory, submission: Submission, federation: Federation | None = None) -> str:
    """Submit to the session cluster of the running stack and wait for the first checkpoint. Returns Flink's job id.

    Asks the stack for more TaskManagers where slots are missing. Interrupted, it leaves no job behind. Raises
    NotRunning, StackError.
    """
    state = directory.running()
    if not state.rest_url:
        raise StackError(
            "the stack has no session cluster: start it with `fluvial up --task-managers 1`, or --target local"
        )
    rest = RestClient(state.rest_url)
    name = submission.job_name
    with submitting(directory, name) as was_before:
        running = _running(rest, name)
        if running and not submission.take_over:
            raise StackError(
                f"a job {name} runs already on this cluster: --take-over ends it and starts it again, with the "
                "packages and settings given here; if this one has other stages, give it another --name"
            )
        try:
            return _submit(
                directory,
                submission,
                federation or directory.federation(),
                rest,
                replaced=running,
                cut_short=lambda job: was_before if job == name else was_cut_short(directory, job),
            )
        except KeyboardInterrupt:
            with uninterrupted(), contextlib.suppress(StackError):
                for job_id in set(_running(rest, name)) - set(running):
                    rest.cancel(job_id)
            raise


def _running(rest: RestClient, name: str) -> list[str]:
    """Ids of the jobs of this name that have not ended."""
    return [job.job_id for job in rest.jobs() if job.name == name and job.state not in ENDED]


def _submit(
    directory: DataDirectory,
    submission: Submission,
    federation: Federation,
    rest: RestClient,
    *,
    replaced: list[str],
    cut_short: Callable[[str], bool],
) -> str:
    """Submit it; the jobs that are replaced end when all that can be checked before was."""
    code = keep_code(CHECKOUT, directory.code)
    submission = replace(
        submission, settings={**submission.settings, "code": code.digest, "code_folder": code.folder.resolve()}
    )
    log = directory.jobs / f"{submission.job_name}.log"
    client = _client(directory, submission, code, rest.url, log)
    try:
        settings_file, settings = submission.write(directory, federation)
        taking = arguments_for(
            settings,
            submission.stages,
            take_over=submission.take_over,
            rest=rest,
            cut_short=cut_short,
        )
        for job_id in replaced:
            rest.cancel(job_id)
        _wait_for_slots(directory, rest, submission.parallelism)
        client.tell(["--settings", str(settings_file), *taking])
        job_id = _accepted(client, submission.job_name, log)
        rest.wait_for(job_id, frozenset({"RUNNING"}), _START_SECONDS)
        _wait_for_checkpoint(rest, job_id)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it has done its work
            client.wait(class_archives.grace_seconds(_CLIENT_END_SECONDS))
    finally:
        client.stop()
    forget_code(directory.code, directory.jobs)
    return job_id


def _client(directory: DataDirectory, submission: Submission, code: JobCode, cluster: str, log: Path) -> JobProcess:
    """What submits the job. It runs from the code that the job gets: `python -m` looks into the working directory
    first, which is not the checkout, because that may change while the job runs."""
    java_options = [*class_archives.options("client"), *_CLIENT_JVM, "-Djava.io.tmpdir=tmp"]
    environment = {
        **_surroundings(directory.cluster, java_options),
        "FLINK_IDENT_STRING": submission.job_name,
        "FLUVIAL_JARS": str(flink_jars()[0].parent.resolve()),
        CLUSTER: cluster,
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(code.folder.resolve()), environment["PYTHONPATH"]])
    return JobProcess(submission.arguments(), log=log, environment=environment, folder=directory.cluster)


def _surroundings(folder: Path, java_options: Sequence[str]) -> dict[str, str]:
    """Environment of a job's process that works in the folder, with these options of its JVM."""
    return {
        **flink_home.environment(folder),
        "FLINK_CONF_DIR": str(flink_home.flink_home() / "conf"),
        "FLINK_LOG_DIR": "log",
        "JVM_ARGS": " ".join(java_options),
    }


def _accepted(client: JobProcess, name: str, log: Path) -> str:
    """The id of the job that the client submits. Raises StartError where Flink does not take it."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        has_ended = client.pid is None
        if found := _JOB_ID.search(log.read_text(errors="replace")):
            return found.group(1)
        if has_ended or time.monotonic() > deadline:
            raise start_error(f"Flink did not accept the job {name}", log, has_last_word=True)
        time.sleep(0.05)


def _wait_for_slots(directory: DataDirectory, rest: RestClient, needed: int) -> None:
    missing = needed - rest.num_free_slots()
    if missing > 0:
        directory.want_task_managers(rest.num_task_managers() + missing)
    deadline = time.monotonic() + _START_SECONDS
    while rest.num_free_slots() < needed:
        if time.monotonic() > deadline:
            raise StackError(
                f"the cluster has no {needed} free slots after {_START_SECONDS:.0f} s: see `fluvial status`"
            )
        time.sleep(0.1)


def _wait_for_checkpoint(rest: RestClient, job_id: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while rest.num_checkpoints(job_id) == 0:
        state = rest.job_state(job_id)
        if state in ENDED or time.monotonic() > deadline:
            raise StackError(f"the job is {state} and has no checkpoint: {rest.last_failure(job_id)}")
        time.sleep(0.1)
