"""The execution environment of every Fluvial job: one place for the settings that engine.md says each job needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import get_j_env_configuration

from pipelines.config import Settings
from pipelines.flink import cluster, gateway, without_beam

_KEY_GROUPS, _MOST_KEY_GROUPS = 32, 128
_IDLE_CHECKPOINT_MS = 2_000
LOOPBACK = "127.0.0.1"
TASK_MANAGER_WAIT = "60 s"
"""How long a cluster inside this process waits for its TaskManager to begin."""
_WORKERS = "_python_worker_execution_mode"
_ADDRESSES = (
    "rest.address",
    "rest.bind-address",
    "jobmanager.rpc.address",
    "jobmanager.bind-host",
    "taskmanager.host",
    "taskmanager.bind-host",
)
"""Where a cluster inside this process listens; by default on all interfaces, for anybody's jobs, beside our keys."""


class JobFailed(Exception):
    """Flink says that a job has failed, and how: a stack trace. If the process that ran it is gone, nobody says so."""


def stream_environment(settings: Settings, job_name: str) -> StreamExecutionEnvironment:
    """An environment with checkpoints, restarts and this checkout's packages on the workers' path.

    The same settings serve a local cluster inside this process's JVM and one elsewhere. That has PyFlink's jar and ours
    on its class path: none go with the job.
    """
    gateway.begin()
    if cluster.is_local():
        # Else PyFlink opens, on all interfaces, a pool of workers that runs whatever functions it is sent.
        os.environ[_WORKERS] = "process"
    if settings.execution_mode == "thread":
        without_beam.import_pyflink_without_beam()
    configuration = Configuration()
    for key, value in _options(settings, job_name).items():
        configuration.set_string(key, value)
    if cluster.address() is not None:
        streaming = get_gateway().jvm.org.apache.flink.streaming.api.environment
        environment = StreamExecutionEnvironment(streaming.StreamExecutionEnvironment(configuration._j_configuration))
    else:
        environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    environment.set_parallelism(settings.parallelism)
    environment.set_max_parallelism(max_parallelism(settings.parallelism))
    # `flink run` would send PyFlink's jar with each job, a second of uploading for classes that nobody loads.
    get_j_env_configuration(environment._j_stream_execution_environment).removeKey("pipeline.jars")
    return environment


def max_parallelism(parallelism: int) -> int:
    """Key groups of a job's state, of which there is a table for each, however empty, that each checkpoint walks
    through: as many as `pipelines.flink.bundles.LANES`, and more only for a job of more subtasks than that."""
    return _KEY_GROUPS if parallelism <= _KEY_GROUPS else _MOST_KEY_GROUPS


def execute(environment: StreamExecutionEnvironment, job_name: str) -> None:
    """Run this environment's job to its end, on a cluster in this process; submit it elsewhere, and say in the words of
    `flink run` which id it has. Raises JobFailed."""
    try:
        if cluster.address() is not None:
            job_id = environment.execute_async(job_name).get_job_id()
            print(f"Job has been submitted with JobID {job_id}", flush=True)
        else:
            environment.execute(job_name)
    except Py4JJavaError as error:
        raise JobFailed(str(error)) from error


def _options(settings: Settings, job_name: str) -> dict[str, str]:
    options = {
        "python.execution-mode": settings.execution_mode,
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "python.pythonpath": path_of_operators(
            settings.code_folder or settings.repository_root, thread_mode=settings.execution_mode == "thread"
        ),
        # Process mode: bundles hold records back, so they are small and short. Thread mode has none, but PyFlink 2.3
        # sets the timer all the same: each operator would be woken 50 times a second for nothing.
        "python.fn-execution.bundle.size": "256",
        "python.fn-execution.bundle.time": "20" if settings.execution_mode == "process" else "3600000",
        # Of what has nothing to commit: the sink asks for all others (`org.fluvial.flink.CommitOnDemand`).
        "execution.checkpointing.interval": f"{max(settings.checkpoint_interval_ms, _IDLE_CHECKPOINT_MS)}ms",
        "execution.checkpointing.min-pause": f"{settings.checkpoint_interval_ms // 2}ms",
        "execution.checkpointing.dir": _flink_path(settings.checkpoint_dir / job_name),
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.num-retained": "3",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        # Envelopes are small: without this, Flink writes a file per operator and checkpoint for a few bytes. It fills a
        # buffer of this size with zeros for each of them.
        "execution.checkpointing.data-inline-threshold": "128kb",
        "state.backend.type": "hashmap",
        "pipeline.object-reuse": "true",
        "pipeline.max-parallelism": str(max_parallelism(settings.parallelism)),
        # Records are few and gathered where they are many: sent at once, no thread of each task looks for them.
        "execution.buffer-timeout.interval": "0ms",
    }
    if cluster.is_local():
        options["rest.port"] = "0"
        options |= dict.fromkeys(_ADDRESSES, LOOPBACK)
        options["web.submit.enable"] = "false"
        # One process: heartbeats find nothing out, and after a machine's sleep its TaskManager would be gone for good.
        options["heartbeat.timeout"] = "1 d"
        # Its only TaskManager is there at once or never. By default a job without one asks for five minutes, and again
        # at each restart.
        options["slot.request.timeout"] = options["resourcemanager.standalone.start-up-time"] = TASK_MANAGER_WAIT
        options["classloader.resolve-order"] = "parent-first"  # the JVM has the job's jars: one copy of each class
        options["taskmanager.numberOfTaskSlots"] = str(settings.parallelism)
        options["taskmanager.memory.managed.size"] = "64m"
        options["taskmanager.memory.network.min"] = "64mb"
        options["taskmanager.memory.network.max"] = "64mb"
    if url := cluster.address():
        place = urlsplit(url)
        options["execution.target"] = "remote"
        options["execution.attached"] = "false"
        options["rest.address"], options["rest.port"] = place.hostname or "", str(place.port)
    if settings.restart_attempts:
        options["restart-strategy.type"] = "exponential-delay"
        options["restart-strategy.exponential-delay.initial-backoff"] = "500ms"
        options["restart-strategy.exponential-delay.max-backoff"] = "5s"
        options["restart-strategy.exponential-delay.reset-backoff-threshold"] = "60s"
        options["restart-strategy.exponential-delay.attempts-before-reset-backoff"] = str(settings.restart_attempts)
    else:
        options["restart-strategy.type"] = "none"
    if settings.restore_from is not None:
        options["execution.state-recovery.path"] = _flink_path(settings.restore_from)
    return options


def _flink_path(path: Path) -> str:
    """Flink takes a path as it is written, and escapes what a URI must not hold by itself."""
    return f"file://{path.resolve()}"


def path_of_operators(code: Path, *, thread_mode: bool) -> str:
    """Where operators look for modules. Thread mode puts these before the code that is sent with the job, which Flink
    deletes with it. code: a folder with our packages."""
    before = [code / without_beam.FOLDER] if thread_mode else []
    return os.pathsep.join(str(path) for path in (*before, code, *gateway.site_packages()))
