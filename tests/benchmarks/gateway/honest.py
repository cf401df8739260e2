"""Honest callers of the gateway: `python -m tests.benchmarks.gateway.honest PORT INPUTS PER_SECOND SECONDS OUT`.

An open loop: requests go out at times that were drawn before, and a latency counts from then. What each was answered
with is kept, to be held against what the release that it names gives for these inputs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from deploy.bench.serving.open_loop import arrivals

PATH = "/v2/models/digits/infer"
CONNECTIONS = 64
_PATIENCE_SECONDS = 40.0


def body_of(example: Any) -> bytes:
    tensor = {"name": "inputs", "shape": [1, *example.shape], "datatype": "FP32", "data": example.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


async def ask(port: int, inputs: Any, per_second: float, seconds: float) -> list[dict[str, Any]]:
    """Of each request: when it was meant to go, its milliseconds, status, promotion and outputs, or what went wrong.

    Connections stay open and take one request at a time; one whose time has come waits for a free one, and the wait
    counts. By hand: the pool of a common library looks at all connections for each request, and measures itself."""
    bodies = [body_of(example) for example in inputs]
    found: list[dict[str, Any]] = []
    due: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def connection() -> None:
        link: Link | None = None
        while True:
            mine = await due.get()
            try:
                link = link or await Link.opened(port)
                mine["status"], said = await asyncio.wait_for(link.post(bodies[mine["example"]]), _PATIENCE_SECONDS)
                if mine["status"] == 200:
                    mine["promotion"] = said["parameters"]["promotion"]
                    mine["outputs"] = said["outputs"][0]["data"]
                else:
                    mine["error"] = said["error"]
            except (OSError, EOFError, TimeoutError) as error:
                mine["error"], link = type(error).__name__, None
            mine["ms"] = 1000 * (time.monotonic() - mine["at"])
            due.task_done()

    connections = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    begin = time.monotonic() + 0.2
    for number, at in enumerate((begin + arrivals(per_second, seconds, 1)).tolist()):
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        found.append({"at": at, "example": number % len(bodies)})
        due.put_nowait(found[-1])
    await due.join()
    for each in connections:
        each.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    return found


class Link:
    """A connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def opened(cls, port: int) -> Link:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 26))

    async def post(self, body: bytes) -> tuple[int, Any]:
        """Status and what was said. Raises OSError, EOFError for a connection that ends."""
        head = f"POST {PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        said = await self._reader.readexactly(int(length.split(b":")[1]))
        return int(answer[9:12]), json.loads(said)

    def close(self) -> None:
        self._writer.close()


def main() -> None:
    port, inputs, per_second, seconds, out = sys.argv[1:]
    found = asyncio.run(ask(int(port), np.load(inputs), float(per_second), float(seconds)))
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
