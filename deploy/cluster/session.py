"""A Flink session cluster on this machine, from the apache-flink wheel: one JobManager and TaskManagers of one slot."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from deploy.cluster import flink_home
from deploy.cluster.rest import RestClient
from deploy.machine import class_archives, compilers
from deploy.machine.errors import StackError, StartError, start_error
from deploy.machine.ports import HOST, free_ports
from deploy.machine.processes import end, java, spawn
from fluvial.cli.interruption import postponed
from pipelines.flink.loaded_code import ONE_JOB

_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_MANAGER_OPTIONS = ("-Xms128m", "-Xmx448m", "-XX:MaxMetaspaceSize=256m")
# The heavy work is Python's and C's: the parallel collector costs more than it brings.
_LEAN = ("-XX:+UseSerialGC", compilers.FIRST, "-XX:-UsePerfData")
_START_SECONDS = 90.0
_END_SECONDS = 10.0
_ATTEMPTS = 3


class _Member(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


class SessionCluster:
    """A session cluster in a directory of its own. A context manager: it runs between enter and exit."""

    def __init__(self, directory: Path, memory: flink_home.TaskManagerMemory | None = None) -> None:
        self.directory = directory.resolve()
        self._memory = memory or flink_home.TaskManagerMemory()
        self._job_manager: _Member | None = None
        self._task_managers: list[_Member] = []
        self._rest_port = 0
        self._started = 0

    @property
    def rest_url(self) -> str:
        return f"http://{HOST}:{self._rest_port}"

    @property
    def rest(self) -> RestClient:
        return RestClient(self.rest_url)

    @property
    def job_manager_pid(self) -> int | None:
        return None if self._job_manager is None or self._job_manager.ended else self._job_manager.process.pid

    @property
    def task_manager_pids(self) -> list[int]:
        return [member.process.pid for member in self._task_managers if not member.ended]

    def begin(self, task_managers: int = 1) -> None:
        """Start all processes at once, without waiting for them: `start` does."""
        rpc_port, self._rest_port = free_ports(2)
        flink_home.write_configuration(
            self.directory, rpc_port=rpc_port, rest_port=self._rest_port, memory=self._memory
        )
        self._start_job_manager()
        self.add_task_managers(task_managers)

    def start(self, task_managers: int = 1) -> None:
        """Start what `begin` has not, and wait until the JobManager knows its TaskManagers. Raises StartError."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                if self._job_manager is None:
                    self.begin(task_managers)
                self._wait_until_ready()
            except BaseException as error:
                self.stop()
                if not (isinstance(error, StartError) and "already in use" in str(error) and attempts_left):
                    raise
            else:
                return

    def add_task_managers(self, count: int) -> None:
        """Start further TaskManagers, without waiting for them."""
        for _ in range(count):
            self._started += 1
            options = self._memory.jvm_options()
            with postponed():
                self._task_managers.append(self._spawn(_TASK_MANAGER, f"task-manager-{self._started}", options))

    def restart_dead(self) -> list[str]:
        """Start anew what ended by itself; says what. After the JobManager's end its jobs must be submitted again."""
        restarted = []
        if self._job_manager is not None and self._job_manager.ended:
            self._start_job_manager()
            restarted.append("JobManager")
        num_dead = sum(member.ended for member in self._task_managers)
        self._task_managers = [member for member in self._task_managers if not member.ended]
        self.add_task_managers(num_dead)
        return restarted + ["TaskManager"] * num_dead

    def kill_task_manager(self, index: int = 0) -> int:
        """SIGKILL to a TaskManager, as a crash does it. Returns its process id."""
        process = self._task_managers[index].process
        process.send_signal(signal.SIGKILL)
        process.wait()
        return process.pid

    def stop(self) -> None:
        """End all processes, TaskManagers first, and remove their temporary files; logs stay."""
        for member in self._task_managers:
            if not member.ended:
                member.process.terminate()  # all at once; `end` waits for each
        for member in [*self._task_managers, *([self._job_manager] if self._job_manager else [])]:
            end(member.process, class_archives.grace_seconds(_END_SECONDS))
        self._task_managers, self._job_manager = [], None
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)

    def __enter__(self) -> SessionCluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_job_manager(self) -> None:
        with postponed():
            self._job_manager = self._spawn(_JOB_MANAGER, "job-manager", list(_JOB_MANAGER_OPTIONS))

    def _spawn(self, main_class: str, name: str, options: list[str]) -> _Member:
        log = self.directory / "log" / f"{name}.log"
        command = [
            java(),
            *class_archives.options("job-manager" if main_class == _JOB_MANAGER else "task-manager"),
            *options,
            *_LEAN,
            *flink_home.java_options(),
            "-Djava.io.tmpdir=tmp",
            f"-Dlog.file=log/{log.name}",
            "-Dlog4j.configurationFile=conf/log4j.properties",
            "-cp",
            flink_home.class_path(),
            main_class,
            "--configDir",
            "conf",
        ]
        environment = {**flink_home.environment(self.directory), ONE_JOB: "1"}
        out = log.with_suffix(".out")
        return _Member(spawn(command, log=out, environment=environment, folder=self.directory), log)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            for member in [*([self._job_manager] if self._job_manager else []), *self._task_managers]:
                if member.ended:
                    status = member.process.returncode
                    raise start_error(f"a Flink process ended while it started (exit status {status})", member.log)
            try:
                if self.rest.num_task_managers() >= len(self._task_managers):
                    return
            except StackError:
                pass
            if time.monotonic() > deadline:
                raise StartError(f"the Flink cluster was not ready in {_START_SECONDS:.0f} s: see {self.directory}/log")
            time.sleep(0.1)
