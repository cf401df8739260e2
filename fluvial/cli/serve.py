"""`fluvial serve`: the released models over HTTP."""

from __future__ import annotations

import socket
from math import ceil
from typing import Annotated

import typer

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    console,
    fail,
    load_federation,
    reported,
    seconds_option,
)
from fluvial.cli.places import KeyOption, key_path
from fluvial.identity.keys import SigningKey
from fluvial.inference.client import TIMEOUT_SECONDS, Client

MAX_CONNECTIONS = 2_048
"""Clients at one time; more are told 503. A request that is open when the gateway is to end has as long as an answer
may take."""


@reported
def serve(
    tasks: Annotated[list[str], typer.Argument(help="Tasks whose models are served.")],
    name: Annotated[str, typer.Option("--name", help="The enrolled participant in whose name requests are signed.")],
    host: Annotated[str, typer.Option(help="Address to listen on; others than loopback are for who has a proxy.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8000,
    key: KeyOption = None,
    timeout: Annotated[float, seconds_option(told="Seconds to wait for an answer.")] = TIMEOUT_SECONDS,
    federation: FederationOption = DEFAULT_FEDERATION,
) -> None:
    """Serve released models by the Open Inference Protocol (/v2/models/TASK/infer); /docs describes it. Ctrl-C ends.

    Requests go through the federation's topics, so that each answer names the release that it rests on.
    """
    try:
        import uvicorn

        from fluvial.inference.gateway import gateway
    except ImportError as error:
        fail(f"serving needs {error.name}", "pip install 'fluvial[serve]'")
    # Bound here: uvicorn would tell of an address that is taken in a form of its own, and not which port 0 has become.
    with (
        _listening(host, port) as listening,
        Client(load_federation(federation), name, SigningKey.load(key or key_path(name))) as client,
    ):
        console.print(f"http://{host}:{listening.getsockname()[1]}/v2/models/{tasks[0]}/infer; Ctrl-C ends")
        config = uvicorn.Config(
            gateway(client, tasks, timeout),
            log_level="warning",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=ceil(timeout) + 1,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Raises OSError that says for what address. The socket says that it is TCP's: only then asyncio sends what it is
    given at once, and an answer's body does not wait 40 ms for the client to acknowledge its head."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror or error}: {host}:{port}") from error
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, made.detach())
