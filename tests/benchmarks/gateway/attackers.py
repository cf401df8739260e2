"""Whoever means harm to the gateway: `python -m tests.benchmarks.gateway.attackers PORT SECONDS OUT`.

All at once: 200 clients whose bodies never end, 800 requests at the same moment again and again, requests with as many
examples as fit, tensors of wrong shapes and datatypes, inputs that are no numbers, clients that hang up. What the
gateway says to each kind is counted by status.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.benchmarks.gateway.honest import PATH, Link

STALLED = 200
AT_ONCE = 800
PAUSE_SECONDS = 2.0


def tensor(data: Any, shape: list[int], datatype: str = "FP32", **more: Any) -> bytes:
    return json.dumps(
        {"inputs": [{"name": "inputs", "shape": shape, "datatype": datatype, "data": data, **more}]}
    ).encode()


FINE = tensor([0.0] * 784, [1, 1, 28, 28])
LARGE = tensor([0.0] * (784 * 1024), [1024, 1, 28, 28])
WRONG: dict[str, bytes] = {
    "shape of another model": tensor([0.0] * 4, [1, 4]),
    "shape and data differ": tensor([0.0] * 4, [1, 1, 28, 28]),
    "huge shape": tensor([0.0], [1 << 40, 1 << 40]),
    "datatype unknown": tensor(["a"], [1], "BYTES"),
    "datatype that cannot hold them": tensor([1.5] * 784, [1, 1, 28, 28], "INT32"),
    "NaN": FINE.replace(b"0.0", b"NaN", 1),
    "infinite": FINE.replace(b"0.0", b"1e999", 1),
    "too large for float32": tensor([1e300] * 784, [1, 1, 28, 28], "FP64"),
    "text": tensor(["x"] * 784, [1, 1, 28, 28]),
    "no JSON": b"\x00\xff" * 100,
}


async def stall(port: int, until: float, told: Counter[str]) -> None:
    """A body of which a byte comes now and then."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"POST {PATH} HTTP/1.1\r\nHost: g\r\nContent-Length: 1000000\r\n\r\n".encode())
                while time.monotonic() < until:
                    writer.write(b"x")
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        head = await asyncio.wait_for(reader.read(100), 1.0)
                        told[f"stalled {head[9:12].decode() or 'closed'}"] += 1
                        break
            finally:
                writer.close()


async def post(content: bytes, port: int, name: str, told: Counter[str], patience: float = 60.0) -> None:
    """A request on a connection of its own; what became of it is counted under the name."""
    link: Link | None = None
    try:
        async with asyncio.timeout(patience):
            link = await Link.opened(port)
            told[f"{name} {(await link.post(content))[0]}"] += 1
    except (OSError, EOFError, TimeoutError) as error:
        told[f"{name} {type(error).__name__}"] += 1
    finally:
        if link is not None:
            link.close()


async def rush(port: int, until: float, told: Counter[str]) -> None:
    """Many requests at the same moment."""
    while time.monotonic() < until:
        await asyncio.gather(*(post(FINE, port, "at once", told) for _ in range(AT_ONCE)))
        await asyncio.sleep(PAUSE_SECONDS)


async def send(port: int, until: float, told: Counter[str]) -> None:
    """What no request should hold, one after the other, large ones that may, and one that is not waited for."""
    while time.monotonic() < until:
        for name, content in (*WRONG.items(), ("1,024 examples", LARGE)):
            await post(content, port, name, told)
        await post(FINE, port, "hung up", told, 0.02)


async def attack(port: int, seconds: float) -> Counter[str]:
    told: Counter[str] = Counter()
    until = time.monotonic() + seconds
    stalled = [stall(port, until, told) for _ in range(STALLED)]
    await asyncio.gather(*stalled, rush(port, until, told), send(port, until, told))
    return told


def main() -> None:
    port, seconds, out = sys.argv[1:]
    Path(out).write_text(json.dumps(asyncio.run(attack(int(port), float(seconds)))))


if __name__ == "__main__":
    main()
