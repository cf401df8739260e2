"""The JVM that this process works with, through Py4J: PyFlink's gateway, started early and ended with us.

`begin` starts it and returns; a thread connects to it while the caller imports what it needs. `flink run` has started
one itself, and names it in the environment: then nothing is done here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from py4j.java_gateway import CallbackServerParameters, GatewayParameters, JavaGateway
from pyflink import java_gateway, pyflink_gateway_server

from pipelines.flink import cluster
from pipelines.flink.die_with_parent import dying_with_us
from pipelines.flink.jars import flink_jars

_MAIN = ["-c", "org.apache.flink.client.python.PythonGatewayServer", "local"]
_PORT = "_PYFLINK_CONN_INFO_PATH"
"""Environment variable that names the file into which the JVM writes its port."""
_DRAIN_BYTES = 64 << 10
_END_SECONDS = 60.0
"""It ends at once, but for one that writes an archive of its classes."""
_LOOK_SECONDS = 0.01


class _Java(NamedTuple):
    """folder: for the file with its port."""

    process: subprocess.Popen[bytes]
    folder: Path


_started: list[_Java] = []


def begin() -> None:
    """Start the JVM, unless there is one. Call from a thread that lives as long as this process: the JVM is killed when
    that ends. Raises FileNotFoundError where jars are missing."""
    if cluster.started_by_flink() or _started:
        return
    _let_the_embedded_interpreter_find_this_environment()
    folder = Path(tempfile.mkdtemp())
    try:
        process = _launched(folder / "port")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _started.append(_Java(process, folder))
    # Whoever started the process closes its end when it likes; the thread reads from an end of its own.
    assert process.stderr is not None
    pipe = os.dup(process.stderr.fileno())
    threading.Thread(target=drain, args=(pipe,), name="gateway-errors", daemon=True).start()

    java_gateway.launch_gateway = lambda: _connected(process, folder / "port")
    threading.Thread(target=_open, name="gateway-opening", daemon=True).start()


def end() -> None:
    """End the JVM that this process has started, which would otherwise look for us every ten seconds. Its client ends
    first: else whatever of Java's this process still lets go of is told to a JVM that is gone, each with a traceback,
    behind the last word of the job."""
    if _started and java_gateway._gateway is not None:
        java_gateway._gateway.shutdown()
    for process, folder in _started:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    _started.clear()


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


def _launched(port_file: Path) -> subprocess.Popen[bytes]:
    """As PyFlink launches it, but with our jars on its class path, so that their classes come from an archive
    (deploy.machine.class_archives), in the place of Hadoop's, whose empty entries mean the working directory.

    It is killed when this process ends. PyFlink's asks itself to end; but at its exit torch's destructors wait for the
    interpreter's lock, and who holds it is stopped for ever: the JVM would stay. What it writes to its standard error
    must be read: when the pipe is full, whoever writes next (librdkafka reporting a broker that is away, say) stops for
    ever, and the job with it."""
    jars = os.pathsep.join(str(jar.resolve()) for jar in flink_jars())
    pyflink_gateway_server.construct_hadoop_classpath = lambda _: jars
    popen = pyflink_gateway_server.Popen

    def popen_to_end_with_us(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = popen(dying_with_us(command, signal.SIGKILL), **options)
        return process

    pyflink_gateway_server.Popen = popen_to_end_with_us
    try:
        process: subprocess.Popen[bytes] = pyflink_gateway_server.launch_gateway_server_process(
            {**os.environ, _PORT: str(port_file)}, list(_MAIN)
        )
    finally:
        pyflink_gateway_server.Popen = popen
    return process


def _open() -> None:
    # Whoever asks for the gateway next meets the same, and says so.
    with contextlib.suppress(Exception):
        java_gateway.get_gateway()


def _connected(process: subprocess.Popen[bytes], port_file: Path) -> JavaGateway:
    """Raises RuntimeError when the JVM ends before it has a port; its standard error, which is ours, says why."""
    while not port_file.exists():  # it is written elsewhere, and moved there
        if process.poll() is not None:
            raise RuntimeError(f"Java ended (exit status {process.returncode}) before it could be reached")
        time.sleep(_LOOK_SECONDS)
    (port,) = struct.unpack("!I", port_file.read_bytes()[:4])
    shutil.rmtree(port_file.parent, ignore_errors=True)  # now: most jobs are ended by a signal
    return JavaGateway(
        gateway_parameters=GatewayParameters(port=port, auto_convert=True),
        callback_server_parameters=CallbackServerParameters(port=0, daemonize=True, daemonize_connections=True),
    )


def _let_the_embedded_interpreter_find_this_environment() -> None:
    """Thread mode runs `python` found on PATH to look for pemja, and PYTHONPATH for modules: name this environment."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    paths = [*site_packages(), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


def site_packages() -> list[str]:
    """The folders in which this interpreter finds what is installed."""
    return [path for path in sys.path if path.endswith("site-packages")]
