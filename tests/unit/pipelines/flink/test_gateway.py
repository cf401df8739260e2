"""The JVM of a job's process: it starts at once, its standard error is read to its end, and it is not left behind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.flink import gateway


class Bytes(io.TextIOWrapper):
    """A standard error that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())

    @property
    def written(self) -> bytes:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


def test_what_comes_through_the_pipe_is_passed_on_until_its_writer_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = Bytes()
    monkeypatch.setattr(sys, "stderr", errors)
    reading, writing = os.pipe()
    os.write(writing, b"the broker is away\n")
    os.close(writing)
    gateway.drain(reading)
    assert errors.written == b"the broker is away\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


def test_writers_never_wait_although_standard_error_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = Bytes()
    errors.close()
    monkeypatch.setattr(sys, "stderr", errors)
    reading, writing = os.pipe()
    thread = threading.Thread(target=gateway.drain, args=(reading,))
    thread.start()
    for _ in range(64):  # 4 MiB: more than a pipe holds
        os.write(writing, bytes(64 << 10))
    os.close(writing)
    thread.join(10.0)
    assert not thread.is_alive()


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """In the place of Java a Python, which runs what the environment says; nothing of it is left, and a JVM that
    this process works with already, for other tests, is out of sight and stays."""
    launched: list[subprocess.Popen[bytes]] = []

    def launch(environment: dict[str, str], arguments: list[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", environment["JAVA_CODE"], environment[gateway._PORT]]
        launched.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE))
        return launched[-1]

    monkeypatch.setattr(gateway.pyflink_gateway_server, "launch_gateway_server_process", launch)
    monkeypatch.setattr(gateway.java_gateway, "launch_gateway", lambda: None)
    monkeypatch.setattr(gateway.java_gateway, "_gateway", None)
    monkeypatch.setattr(gateway, "_started", [])
    monkeypatch.delenv("PYFLINK_GATEWAY_PORT", raising=False)
    monkeypatch.setattr(gateway, "flink_jars", lambda: [Path("a.jar")])
    monkeypatch.setattr(gateway, "_open", lambda: None)
    for name in ("PATH", "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    yield launched
    for process in launched:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_process_may_be_closed_while_its_errors_are_read(
    monkeypatch: pytest.MonkeyPatch, java: list[subprocess.Popen[bytes]]
) -> None:
    errors = Bytes()
    monkeypatch.setattr(sys, "stderr", errors)
    # Writes, then stays, so that the thread is in the middle of reading when the pipe is closed on our side.
    monkeypatch.setenv("JAVA_CODE", "import sys; sys.stderr.write('started'); sys.stderr.flush(); sys.stdin.read()")
    before = set(threading.enumerate())
    gateway.begin()
    (thread,) = [thread for thread in set(threading.enumerate()) - before if thread.name == "gateway-errors"]
    (process,) = java
    assert process.stdin is not None
    assert process.stderr is not None
    process.stderr.close()
    process.stdin.close()
    process.wait(10.0)
    thread.join(10.0)
    gateway.end()
    assert not thread.is_alive()
    assert errors.written == b"started"


def test_java_is_started_once_and_not_waited_for_and_ends_when_it_is_asked_to(
    monkeypatch: pytest.MonkeyPatch, java: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setenv("JAVA_CODE", "import sys; sys.stdin.read()")
    gateway.begin()
    gateway.begin()
    (process,) = java
    assert process.poll() is None
    gateway.end()
    assert process.poll() is not None
    gateway.end()


def test_the_port_is_read_when_java_has_moved_it_into_place(
    monkeypatch: pytest.MonkeyPatch, java: list[subprocess.Popen[bytes]]
) -> None:
    code = "import os, struct, sys; open(sys.argv[1] + '~', 'wb').write(struct.pack('!II', 4711, 0)); "
    monkeypatch.setenv("JAVA_CODE", code + "os.rename(sys.argv[1] + '~', sys.argv[1]); sys.stdin.read()")
    ports: list[int] = []

    def gateway_of(*, gateway_parameters: Any, callback_server_parameters: Any) -> None:
        ports.append(gateway_parameters.port)

    monkeypatch.setattr(gateway, "JavaGateway", gateway_of)
    gateway.begin()
    gateway.java_gateway.launch_gateway()
    gateway.end()
    assert ports == [4711]


def test_java_that_ends_before_it_has_a_port_is_an_error_for_each_who_asks(
    monkeypatch: pytest.MonkeyPatch, java: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setenv("JAVA_CODE", "raise SystemExit(3)")
    gateway.begin()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"Java ended \(exit status 3\) before it could be reached"):
            gateway.java_gateway.launch_gateway()
    gateway.end()


def test_where_flink_has_started_this_process_its_java_is_used(
    monkeypatch: pytest.MonkeyPatch, java: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setenv("PYFLINK_GATEWAY_PORT", "1")
    gateway.begin()
    assert java == []
