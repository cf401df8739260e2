"""The JVM's standard error is read to its end, whatever becomes of ours."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import pytest
from pyflink import java_gateway

from pipelines.flink import environment


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
    environment.drain(reading)
    assert errors.written == b"the broker is away\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


def test_writers_never_wait_although_standard_error_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = Bytes()
    errors.close()
    monkeypatch.setattr(sys, "stderr", errors)
    reading, writing = os.pipe()
    thread = threading.Thread(target=environment.drain, args=(reading,))
    thread.start()
    for _ in range(64):  # 4 MiB: more than a pipe holds
        os.write(writing, bytes(64 << 10))
    os.close(writing)
    thread.join(10.0)
    assert not thread.is_alive()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_process_may_be_closed_while_its_errors_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = Bytes()
    monkeypatch.setattr(sys, "stderr", errors)
    # Writes, then stays, so that the thread is in the middle of reading when the pipe is closed on our side.
    code = "import sys; sys.stderr.write('started'); sys.stderr.flush(); sys.stdin.read()"

    def launch() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    monkeypatch.setattr(java_gateway, "launch_gateway_server_process", launch)
    environment._drain_the_gateways_errors.cache_clear()
    environment._drain_the_gateways_errors()
    before = set(threading.enumerate())
    process = java_gateway.launch_gateway_server_process()
    (thread,) = set(threading.enumerate()) - before
    assert process.stdin is not None
    assert process.stderr is not None
    process.stderr.close()
    process.stdin.close()
    process.wait(10.0)
    thread.join(10.0)
    environment._drain_the_gateways_errors.cache_clear()
    assert not thread.is_alive()
    assert errors.written == b"started"
