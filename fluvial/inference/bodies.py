"""Bodies of HTTP requests, from clients that are slow, many, wrong about lengths, or gone.

What is held at one time is bounded, whoever sends it: numbers written out as JSON take sixteen times their bytes while
they are read, so a few dozen large requests at once would fill a machine. Who finds no room is told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import HTTPException, Request

MAX_BODY_BYTES = 32 << 20
"""Of one request: a request's record holds 4 MiB, which are several times as much when each number is written out."""

ROOM_BYTES = 128 << 20
"""Of all bodies that are being received or read."""

SECONDS = 30.0
"""For a body to arrive: a client that sends a byte now and then is not waited for."""

_SMALL_BYTES = 64 << 10
"""Read at once; what is longer is read in a thread, so that other requests are answered meanwhile."""


T = TypeVar("T")


class Bodies:
    """Room for the bodies of one process, in its event loop."""

    def __init__(self, room_bytes: int = ROOM_BYTES, seconds: float = SECONDS) -> None:
        self._free, self._seconds = room_bytes, seconds
        self._reading = asyncio.Semaphore(1)

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[bytes]:
        """What the client sent; its room is given back when the block ends.

        Raises HTTPException: 408 for a client that is too slow, 413 for more than MAX_BODY_BYTES, as soon as that is
        known, 503 where there is no room. Raises starlette's ClientDisconnect.
        """
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
            raise _too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                async for part in request.stream():
                    if size + len(part) > MAX_BODY_BYTES:
                        raise _too_large()
                    if len(part) > self._free:
                        raise HTTPException(503, "too much is being received: ask again", {"Retry-After": "1"})
                    self._free -= len(part)
                    size += len(part)
                    parts.append(part)
            yield b"".join(parts)
        except TimeoutError as error:
            raise HTTPException(408, f"the body did not arrive within {self._seconds:.0f} s") from error
        finally:
            self._free += size

    async def read(self, body: bytes, read: Callable[[bytes], T]) -> T:
        """What `read` makes of a body; of long ones one at a time, beside the event loop."""
        if len(body) <= _SMALL_BYTES:
            return read(body)
        async with self._reading:
            return await asyncio.to_thread(read, body)


def _too_large() -> HTTPException:
    return HTTPException(413, f"a request has at most {MAX_BODY_BYTES} bytes: ask for fewer examples at once")
