"""Who asks the service to compare with, for `fluvial bench inference`: `python -m deploy.bench.serving.http_load`.

Connections that stay open, one request at a time on each; a request whose time has come waits for a free one, and the
wait counts.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np
from numpy.typing import NDArray

from deploy.bench.serving.load_process import load_arguments, wait_for_start
from deploy.bench.serving.open_loop import Outcome, arrivals

_CONNECTIONS = 64
_PATIENCE_SECONDS = 5.0
"""How long after the last intended time answers are waited for."""


def main() -> None:
    parser = load_arguments(__doc__)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    inputs = np.load(arguments.inputs, allow_pickle=False)
    intended = arrivals(arguments.per_second, arguments.seconds, arguments.seed)
    random = np.random.default_rng(arguments.seed)
    bodies = [inputs[random.integers(0, len(inputs), arguments.examples)].tobytes() for _ in range(256)]
    head = b"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(bodies[0])
    wait_for_start()
    asyncio.run(_load(arguments.port, intended, [head + body for body in bodies])).save(arguments.out)


async def _load(port: int, intended: NDArray[np.float64], requests: list[bytes]) -> Outcome:
    count = len(intended)
    received, refused = np.full(count, np.nan), np.zeros(count, np.bool_)
    due: asyncio.Queue[int] = asyncio.Queue()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while True:
                number = await due.get()
                writer.write(requests[number % len(requests)])
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                received[number], refused[number] = time.monotonic(), b" 200 " not in head.split(b"\r\n", 1)[0]
        finally:
            writer.close()

    connections = [asyncio.create_task(connection()) for _ in range(_CONNECTIONS)]
    begin = time.monotonic() + 0.1
    for number, at in enumerate(intended.tolist()):
        ahead = begin + at - time.monotonic()
        await asyncio.sleep(max(ahead, 0.0))
        due.put_nowait(number)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while np.isnan(received).any() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    for each in connections:
        each.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    return Outcome(
        intended=begin + intended,
        received=received,
        computed=np.full(count, np.nan),
        promotion=np.zeros(count, np.int64),
        answers=(~np.isnan(received)).astype(np.int64),
        refused=refused,
    )


if __name__ == "__main__":
    main()
