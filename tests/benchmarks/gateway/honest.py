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

import httpx
import numpy as np

from deploy.bench.serving.open_loop import arrivals

PATH = "/v2/models/digits/infer"


def body_of(example: Any) -> bytes:
    tensor = {"name": "inputs", "shape": [1, *example.shape], "datatype": "FP32", "data": example.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


async def ask(port: int, inputs: Any, per_second: float, seconds: float) -> list[dict[str, Any]]:
    """Of each request: when it was meant to go, its milliseconds, status, promotion and outputs, or what went wrong."""
    bodies = [body_of(example) for example in inputs]
    found: list[dict[str, Any]] = []
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=40) as http:

        async def one(number: int, at: float) -> None:
            mine: dict[str, Any] = {"at": at, "example": number % len(bodies)}
            found.append(mine)
            try:
                answer = await http.post(PATH, content=bodies[number % len(bodies)])
                mine["status"] = answer.status_code
                said = answer.json()
                if answer.status_code == 200:
                    mine["promotion"] = said["parameters"]["promotion"]
                    mine["outputs"] = said["outputs"][0]["data"]
                else:
                    mine["error"] = said["error"]
            except httpx.HTTPError as error:
                mine["error"] = type(error).__name__
            mine["ms"] = 1000 * (time.monotonic() - at)

        begin = time.monotonic() + 0.2
        waiting = []
        for number, at in enumerate((begin + arrivals(per_second, seconds, 1)).tolist()):
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            waiting.append(asyncio.create_task(one(number, at)))
        await asyncio.gather(*waiting)
    return found


def main() -> None:
    port, inputs, per_second, seconds, out = sys.argv[1:]
    found = asyncio.run(ask(int(port), np.load(inputs), float(per_second), float(seconds)))
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
