"""The gateway behind its real HTTP server, and clients that are many, slow, wrong or gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import uvicorn

from fluvial.cli import serve
from fluvial.inference import bodies
from fluvial.inference.client import Answer
from fluvial.inference.gateway import MAX_INPUT_BYTES, gateway

PATH = "/v2/models/credit/infer"


class Federation:
    """Doubles its inputs after a while, and knows how many wait."""

    def __init__(self) -> None:
        self.waiting = self.cancelled = 0
        self.seconds = 0.02

    async def infer_async(self, task: str, inputs: np.ndarray, timeout: float = 0.0) -> Answer:
        self.waiting += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1
        return Answer(outputs=inputs * 2, promotion=3, version=8, variant="int8", artefact_sha256=b"\x01" * 32)


class Served:
    """A gateway that listens."""

    def __init__(self) -> None:
        self.federation = Federation()
        self.socket = serve._listening("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(
            gateway(self.federation, ["credit"], 7.0), log_level="error", timeout_graceful_shutdown=2
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.socket.close()
        assert not self.thread.is_alive()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def ask(self, content: bytes | None = None, timeout: float = 60.0) -> httpx.Response:
        body = request([1.0]) if content is None else content
        # Without TLS, so that no authorities need be loaded, which takes longer than to ask.
        return httpx.post(f"http://127.0.0.1:{self.port}{PATH}", content=body, timeout=timeout, verify=False)


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.end()


@pytest.fixture(scope="module")
def lasting() -> Iterator[Served]:
    """One for all tests that leave it as it was, which whoever asks it next shows."""
    found = Served()
    yield found
    found.end()


def request(data: list[object], shape: list[int] | None = None) -> bytes:
    tensor = {"name": "inputs", "shape": shape or [1, len(data)], "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


def head(length: int) -> bytes:
    return f"POST {PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n\r\n".encode()


def test_hundreds_of_requests_at_once_are_each_answered_for_their_own_inputs(served: Served) -> None:
    async def ask() -> list[tuple[int, float]]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{served.port}", limits=limits, timeout=60, verify=False
        ) as http:

            async def one(number: int) -> tuple[int, float]:
                answer = await http.post(PATH, content=request([float(number)]))
                return answer.status_code, answer.json()["outputs"][0]["data"][0]

            return await asyncio.gather(*(one(number) for number in range(200)))

    assert asyncio.run(ask()) == [(200, 2.0 * number) for number in range(200)]


def test_bodies_that_lie_about_their_length_or_never_end_keep_nobody_waiting(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "uvicorn.error")
    slow = [served.connect() for _ in range(30)]
    for connection in slow:
        connection.sendall(head(1000) + b'{"inputs"')
    gone = served.connect()
    gone.sendall(head(500) + b"{")
    gone.close()
    assert served.ask().status_code == 200
    with served.connect() as chunked:
        chunked.sendall(f"POST {PATH} HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode())
        assert b"400" in chunked.recv(100)
    for length, status in ((bodies.MAX_BODY_BYTES + 1, b" 413 "), (1 << 70, b" 400 ")):
        with served.connect() as large:
            large.sendall(head(length))
            assert status in large.recv(100), "without a byte of it"
    for connection in slow:
        connection.close()
    time.sleep(0.2)
    assert served.ask().status_code == 200
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("seconds", [0.3, 600.0])
def test_a_client_that_is_too_slow_is_told_and_its_room_is_free_again(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Which others meet for as long as it may take: where that is short, a busy machine may not ask in time."""
    monkeypatch.setattr(bodies.Bodies.__init__, "__defaults__", (100, seconds))
    served = Served()
    try:
        with served.connect() as slow:
            slow.sendall(head(90) + b"x" * 80)
            if seconds > 60:
                while (busy := served.ask()).status_code == 200:  # until it has begun to read
                    pass
                assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
                slow.sendall(b"x" * 10)
            assert (b" 400 " if seconds > 60 else b" 408 ") in slow.recv(100)
        assert served.ask().status_code == 200, "there is room again"
    finally:
        served.end()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b'{"inputs":[{"shape":[1],"datatype":"FP32","data":' + b"[" * 150 + b"1" + b"]" * 150 + b"}]}",
        request(["x" * 40_000, *[0] * 40_000]),
        request([[1.0], 2.0]),
        request([{"a": 1}]),
        request([None]),
        request([1.0], [10**400]),
        request([1.0], [1] * 100),
        request([1.0], [-1, -1]),
        request([], [0]),
        b'{"id":"\\ud800","inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":-1}}]}',
        b"\xff\xfe{}",
    ],
)
def test_whatever_a_body_holds_its_sender_is_told(lasting: Served, content: bytes) -> None:
    answer = lasting.ask(content)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert lasting.ask().status_code == 200


def test_more_inputs_than_a_record_holds_are_refused_before_they_are_sent(lasting: Served) -> None:
    answer = lasting.ask(request([0] * (MAX_INPUT_BYTES // 4 + 1)), 30)
    assert (answer.status_code, "ask for fewer examples" in answer.json()["error"]) == (413, True)


def test_others_are_answered_while_a_large_request_is_read(served: Served) -> None:
    large = threading.Thread(target=served.ask, args=(request([0.123456] * 900_000), 60))
    large.start()
    meanwhile = 0
    while large.is_alive():
        assert served.ask(timeout=20).status_code == 200
        meanwhile += large.is_alive()
    large.join()
    assert meanwhile


def test_a_gateway_that_ends_answers_what_is_open_and_waits_for_no_slow_body(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "uvicorn.error")
    served.federation.seconds = 0.5
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(served.ask().status_code))
    asking.start()
    slow = served.connect()
    slow.sendall(head(100) + b"{")
    while not served.federation.waiting:
        time.sleep(0.01)
    served.server.should_exit = True
    served.thread.join(60)
    assert not served.thread.is_alive()
    asking.join()
    assert answers == [200]
    assert b" 503 " in slow.recv(100)
    slow.close()
    assert "Traceback" not in caplog.text


def test_nothing_is_kept_of_clients_that_hang_up_while_they_wait(served: Served) -> None:
    served.federation.seconds = 0.3
    for _ in range(20):
        with contextlib.suppress(httpx.ReadTimeout):
            served.ask(timeout=0.05)
    deadline = time.monotonic() + 60
    while served.federation.waiting and time.monotonic() < deadline:
        time.sleep(0.02)
    assert served.federation.waiting == 0
    assert served.ask().status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_answers_body_waits_for_no_acknowledgement_of_its_head(host: str) -> None:
    """Nagle's algorithm and a delayed acknowledgement are 40 ms of each request."""
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")

    async def at_once() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made = writer.get_extra_info("socket")
            accepted.set_result(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with serve._listening(host, 0) as listening:
            async with await asyncio.start_server(connected, sock=listening):
                _, writer = await asyncio.open_connection(host, listening.getsockname()[1])
                found = await accepted
                writer.close()
                return found

    assert asyncio.run(at_once()) != 0
