"""The execution environment of every Fluvial job: one place for the settings that engine.md says each job needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink import java_gateway, pyflink_gateway_server
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.util.java_utils import get_j_env_configuration

from pipelines.config import Settings
from pipelines.flink import without_beam
from pipelines.flink.die_with_parent import dying_with_us
from pipelines.flink.jars import flink_jars

MAX_PARALLELISM = 128
_DRAIN_BYTES = 64 << 10
_END_SECONDS = 10.0
_IDLE_CHECKPOINT_MS = 2_000
_gateways: list[subprocess.Popen[bytes]] = []
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

    The same settings serve `python -m pipelines.main` (a local cluster inside this process's JVM) and `flink run`. The
    cluster has PyFlink's jar and ours on its class path: none go with the job.
    """
    _drain_the_gateways_errors()
    if cluster_is_local():
        # Else PyFlink opens, on all interfaces, a pool of workers that runs whatever functions it is sent.
        os.environ[_WORKERS] = "process"
        _give_the_gateway_our_jars()
        _end_the_gateway_with_us()
    if settings.execution_mode == "thread":
        _let_the_embedded_interpreter_find_this_environment()
        without_beam.import_pyflink_without_beam()
    configuration = Configuration()
    for key, value in _options(settings, job_name).items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    environment.set_parallelism(settings.parallelism)
    environment.set_max_parallelism(MAX_PARALLELISM)
    # `flink run` would send PyFlink's jar with each job, a second of uploading for classes that nobody loads.
    get_j_env_configuration(environment._j_stream_execution_environment).removeKey("pipeline.jars")
    return environment


def execute(environment: StreamExecutionEnvironment, job_name: str) -> None:
    """Run this environment's job to its end, on a cluster in this process; submit it elsewhere. Raises JobFailed."""
    try:
        environment.execute(job_name)
    except Py4JJavaError as error:
        raise JobFailed(str(error)) from error


def _options(settings: Settings, job_name: str) -> dict[str, str]:
    options = {
        "python.execution-mode": settings.execution_mode,
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "python.pythonpath": os.pathsep.join(_path_of_operators(settings)),
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
        # Envelopes are small: without this, Flink writes a file per operator and checkpoint for a few bytes.
        "execution.checkpointing.data-inline-threshold": "512kb",
        "state.backend.type": "hashmap",
        "pipeline.object-reuse": "true",
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        # Records are few and gathered where they are many: sent at once, no thread of each task looks for them.
        "execution.buffer-timeout.interval": "0ms",
    }
    if cluster_is_local():
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


def cluster_is_local() -> bool:
    """Whether the cluster starts with this process. `flink run` names its gateway instead, and its cluster has a
    configuration of its own, which a job must not override."""
    return "PYFLINK_GATEWAY_PORT" not in os.environ


def _flink_path(path: Path) -> str:
    """Flink takes a path as it is written, and escapes what a URI must not hold by itself."""
    return f"file://{path.resolve()}"


def _path_of_operators(settings: Settings) -> list[str]:
    """Thread mode puts these before the code that is sent with the job, which Flink deletes with it."""
    code = settings.code_folder or settings.repository_root
    before = [without_beam.FOLDER] if settings.execution_mode == "thread" else []
    return [str(path) for path in (*(code / folder for folder in before), code, *_site_packages())]


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _give_the_gateway_our_jars() -> None:
    """Put the job's jars on the class path of the JVM, so that their classes come from an archive (deploy.machine.
    class_archives), in the place of Hadoop's, whose empty entries mean the working directory."""
    jars = os.pathsep.join(str(jar.resolve()) for jar in flink_jars())
    pyflink_gateway_server.construct_hadoop_classpath = lambda _: jars


def end_gateway() -> None:
    """End the JVM that this process has started, which would otherwise look for us every ten seconds. Its client ends
    first: else whatever of Java's this process still lets go of is told to a JVM that is gone, each with a traceback,
    behind the last word of the job."""
    if _gateways and java_gateway._gateway is not None:
        java_gateway._gateway.shutdown()
    for process in _gateways:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _gateways.clear()


@cache
def _end_the_gateway_with_us() -> None:
    """Have the JVM killed when this process ends. PyFlink's asks itself to end; but at its exit torch's destructors
    wait for the interpreter's lock, and who holds it is stopped for ever: the JVM would stay."""
    popen = pyflink_gateway_server.Popen

    def popen_to_end_with_us(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = popen(dying_with_us(command, signal.SIGKILL), **options)
        return process

    pyflink_gateway_server.Popen = popen_to_end_with_us


@cache
def _drain_the_gateways_errors() -> None:
    """Pass on what the JVM writes to its standard error. PyFlink 2.3 gives it a pipe that nobody reads; when that is
    full, whoever writes next (librdkafka reporting a broker that is away, say) stops for ever, and the job with it."""
    launch = java_gateway.launch_gateway_server_process

    def launch_and_drain(*arguments: Any) -> subprocess.Popen[bytes]:
        process = launch(*arguments)
        _gateways.append(process)
        if process.stderr is not None:
            # Whoever started the process closes its end when it likes; the thread reads from an end of its own.
            pipe = os.dup(process.stderr.fileno())
            threading.Thread(target=drain, args=(pipe,), name="gateway-errors", daemon=True).start()
        return process

    java_gateway.launch_gateway_server_process = launch_and_drain


def drain(pipe: int) -> None:
    """Copy a pipe to this process's standard error until its writers are gone, and close it. Where standard error is
    closed already, as while the interpreter ends, what comes is dropped: the writers must not wait for it."""
    try:
        while data := os.read(pipe, _DRAIN_BYTES):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed; replaced by what takes no bytes
                sys.stderr.buffer.write(data)
                sys.stderr.buffer.flush()
    finally:
        os.close(pipe)


def _let_the_embedded_interpreter_find_this_environment() -> None:
    """Thread mode runs `python` found on PATH to look for pemja, and PYTHONPATH for modules: name this environment."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    paths = [*_site_packages(), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
