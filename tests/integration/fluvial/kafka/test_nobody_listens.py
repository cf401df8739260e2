"""A broker that is down is told within seconds to who types a command, and waited for by what runs for long."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
import typer

from fluvial.cli.common import Exit, reported
from fluvial.identity.brokers import Brokers
from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.reachability import nobody_listens
from fluvial.kafka.recovering import TOLD_SOON, RecoveringTransport


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def brokers(*addresses: str) -> Brokers:
    return Brokers(bootstrap_servers=",".join(addresses))


class Backend:
    """Has a topic."""

    def bounds(self, topic: str) -> dict[int, Any]:
        return {0: topic}


def test_an_address_that_refuses_is_told_and_one_that_listens_or_is_slow_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = f"127.0.0.1:{a_free_port()}"
    assert nobody_listens(brokers(closed, closed), 0.0) == f"nobody listens at {closed}"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert nobody_listens(brokers(closed, f"127.0.0.1:{listening.getsockname()[1]}"), 0.0) == ""

    def times_out(*_: Any, **__: Any) -> socket.socket:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", times_out)
    assert nobody_listens(brokers(closed), 0.0) == "", "a network that is slow is none of this function's business"


def test_a_broker_that_is_just_starting_is_waited_for() -> None:
    port = a_free_port()
    opened: list[socket.socket] = []
    timer = threading.Timer(0.3, lambda: opened.append(socket.create_server(("127.0.0.1", port))))
    timer.start()
    assert nobody_listens(brokers(f"127.0.0.1:{port}"), 5.0) == ""
    timer.join()
    opened[0].close()


def test_a_verb_is_told_within_three_seconds_and_whoever_does_not_ask_for_it_waits_as_before() -> None:
    transport = RecoveringTransport(brokers(f"127.0.0.1:{a_free_port()}"), Backend())  # type: ignore[arg-type]
    assert transport.bounds("t") == {0: "t"}, "the library's own patience decides"

    def wants_to_know() -> None:
        TOLD_SOON.set(True)
        began = time.monotonic()
        with pytest.raises(TransportUnavailable, match="nobody listens at"):
            transport.bounds("t")
        assert time.monotonic() - began < 3

    thread = threading.Thread(target=wants_to_know)
    thread.start()
    thread.join()


def test_every_verb_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    @reported
    def verb() -> None:
        RecoveringTransport(brokers(f"127.0.0.1:{a_free_port()}"), Backend()).bounds("t")  # type: ignore[arg-type]

    token = TOLD_SOON.set(False)
    try:
        with pytest.raises(typer.Exit) as ended:
            verb()
    finally:
        TOLD_SOON.reset(token)
    assert ended.value.exit_code == Exit.UNAVAILABLE
    assert "the broker is not there: nobody listens at" in capsys.readouterr().err
