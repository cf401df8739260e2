"""The same model as a service is usually made: FastAPI, uvicorn and torch, one process, one thread of torch.

`python -m deploy.bench.serving.torch_server TASK_FILE PORT`. Nothing is signed, nothing is logged and nothing is put
together from several requests. Inputs and outputs are raw float32, so that no time goes into JSON.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request, Response

from deploy.bench.serving.digits import PICTURE_DIVISOR, module_of


def application(module: torch.nn.Module, shape: tuple[int, ...]) -> FastAPI:
    """POST /infer: uint8 of shape (B, *shape) in the body, float32 of the outputs back."""
    app = FastAPI()

    @app.post("/infer")
    async def infer(request: Request) -> Response:
        pictures = np.frombuffer(await request.body(), np.uint8).reshape(-1, *shape)
        values = pictures.astype(np.float32) / np.float32(PICTURE_DIVISOR)
        with torch.inference_mode():
            outputs = module(torch.from_numpy(values))
        return Response(outputs.numpy().tobytes(), media_type="application/octet-stream")

    return app


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    module, shape = module_of(Path(arguments[0]).read_text(encoding="utf-8"))
    uvicorn.run(application(module, shape), host="127.0.0.1", port=int(arguments[1]), log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
