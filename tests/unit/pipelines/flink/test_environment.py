"""The environment of a job: its JVM's standard error is read to its end, and its cluster is for nobody else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import pytest
from pyflink import java_gateway

from pipelines.flink import environment
from tests.unit.pipelines.validation.stage import SETTINGS


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


def test_a_cluster_inside_this_process_is_reached_from_this_machine_alone_and_takes_no_jobs_of_others() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYFLINK_GATEWAY_PORT", raising=False)
        options = environment._options(SETTINGS, "job")
        patch.setenv("PYFLINK_GATEWAY_PORT", "1")
        of_another_cluster = environment._options(SETTINGS, "job")
    addresses = (
        "rest.address",
        "rest.bind-address",
        "jobmanager.rpc.address",
        "jobmanager.bind-host",
        "taskmanager.host",
        "taskmanager.bind-host",
    )
    assert {options[name] for name in addresses} == {"127.0.0.1"}
    assert options["web.submit.enable"] == "false"
    assert not set(addresses) & set(of_another_cluster)
