"""The released models over HTTP, for clients of the Open Inference Protocol (`fluvial.inference.open_inference`).

The gateway holds no model: it puts requests on the topics and gives back what the stage inference answered, so that
each answer names the release that it rests on (`parameters` of the response). A model is a task; its versions are those
of the federation, and the newest promoted one answers: who names another in the URL is told so.

Needs fastapi (`fluvial[serve]`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

import fluvial
from fluvial.inference.bodies import Bodies
from fluvial.inference.client import Answer, InferenceRefused
from fluvial.inference.open_inference import (
    JSON_LENGTH,
    ErrorResponse,
    InferRequest,
    InferResponse,
    parsed,
    rendered,
)
from fluvial.inference.session import INPUT, OUTPUT
from fluvial.kafka import TransportUnavailable
from fluvial.wire.errors import TransportError
from fluvial.wire.records import InferenceStatus

_HTTP_STATUS = {
    InferenceStatus.NO_RELEASE: 503,
    InferenceStatus.UNKNOWN_TASK: 404,
    InferenceStatus.OVER_QUOTA: 429,
    InferenceStatus.EXPIRED: 504,
}
"""What a refusal is in HTTP; anything else is the request's fault, 400."""

MAX_INPUT_BYTES = (4 << 20) - (64 << 10)
"""Of one request's inputs, in the datatype in which they travel: a record of topic requests holds 4 MiB."""

MAX_WAITING = 4_096
"""Requests that wait for an answer at one time."""

_GONE = 499
"""Status of a request whose client hung up; nobody sees it."""

_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": InferRequest.model_json_schema()}}}
}
"""Of the page that describes the requests: the route reads the bytes itself, since tensors may follow the JSON."""


class Ending:
    """Around the application: a request that the server gives up, because it ends and has waited long enough, is told
    so, and is no error of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            await JSONResponse({"error": "the gateway ends: ask another one"}, 503)(scope, receive, send)


class Asks(Protocol):
    """What is used of `fluvial.inference.client.Client`."""

    async def infer_async(self, task: str, inputs: NDArray[np.generic], timeout: float = ...) -> Answer: ...


class _Asking:
    """What all routes share: which models there are, and how an answer is asked for."""

    def __init__(self, client: Asks, tasks: Sequence[str], timeout: float) -> None:
        self._client, self._tasks, self._timeout = client, tasks, timeout
        self._bodies = Bodies()
        self._waiting = asyncio.BoundedSemaphore(MAX_WAITING)

    def known(self, name: str) -> str:
        if name not in self._tasks:
            raise HTTPException(404, f"no such model: {name}; there are {', '.join(self._tasks) or 'none'}")
        return name

    async def answer(self, name: str, request: Request) -> tuple[InferRequest, Answer]:
        """The request, read, and its answer. Raises HTTPException for whatever keeps it from one."""
        self.known(name)
        if self._waiting.locked():
            raise HTTPException(503, f"{MAX_WAITING} requests wait for answers: ask again", {"Retry-After": "1"})
        try:
            async with self._waiting:
                asked, inputs = await self._read(request)
                return asked, await self._client.infer_async(name, inputs, self._timeout)
        except InferenceRefused as error:
            raise HTTPException(_HTTP_STATUS.get(error.status, 400), str(error)) from error
        except TransportUnavailable as error:
            raise HTTPException(504, str(error)) from error
        except (TransportError, BufferError) as error:
            raise HTTPException(503, f"the request could not be sent: {error}") from error
        except ValueError as error:
            raise HTTPException(400, str(error)) from error

    async def _read(self, request: Request) -> tuple[InferRequest, NDArray[np.generic]]:
        async with self._bodies.received(request) as body:
            read = partial(parsed, json_length=request.headers.get(JSON_LENGTH))
            asked, inputs = await self._bodies.read(body, read)
        if inputs.nbytes > MAX_INPUT_BYTES:
            few = f"at most {MAX_INPUT_BYTES} bytes of inputs, these are {inputs.nbytes}"
            raise HTTPException(413, f"a request has {few}: ask for fewer examples at once")
        return asked, inputs


def gateway(client: Asks, tasks: Sequence[str], timeout: float) -> FastAPI:
    """The application. tasks: those that may be asked for. timeout: seconds to wait for an answer."""
    app = FastAPI(title="Fluvial inference", version=fluvial.__version__, docs_url="/docs", redoc_url=None)
    app.add_exception_handler(StarletteHTTPException, _as_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(Ending)
    asking = _Asking(client, tasks, timeout)

    @app.get("/v2", tags=["server"])
    async def server() -> dict[str, Any]:
        """Name and version of the server."""
        return {"name": "fluvial", "version": fluvial.__version__, "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live", tags=["server"])
    async def live() -> dict[str, bool]:
        """Whether the server runs."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["server"])
    async def ready() -> dict[str, bool]:
        """Whether the server takes requests."""
        return {"ready": True}

    @app.get("/v2/models/{model_name}", tags=["model"])
    @app.get("/v2/models/{model_name}/versions/{version}", tags=["model"])
    async def model(model_name: str) -> dict[str, Any]:
        """What a model takes and gives."""
        return {
            "name": asking.known(model_name),
            "platform": "onnx_onnxruntime",
            "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1]}],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1]}],
        }

    @app.get("/v2/models/{model_name}/ready", tags=["model"])
    @app.get("/v2/models/{model_name}/versions/{version}/ready", tags=["model"])
    async def model_ready(model_name: str) -> dict[str, Any]:
        """Whether the model is known here. Whether something is released, and in which version, an answer tells."""
        return {"name": asking.known(model_name), "ready": True}

    @app.post(
        "/v2/models/{model_name}/infer",
        tags=["model"],
        response_model=InferResponse,
        responses={status: {"model": ErrorResponse} for status in sorted({400, *_HTTP_STATUS.values()})},
        openapi_extra=_BODY,
    )
    async def infer(model_name: str, request: Request) -> Response:
        """Outputs of the newest promoted release."""
        return _response(model_name, *await asking.answer(model_name, request))

    @app.post(
        "/v2/models/{model_name}/versions/{version}/infer",
        tags=["model"],
        response_model=InferResponse,
        responses={404: {"model": ErrorResponse}},
        openapi_extra=_BODY,
    )
    async def infer_version(model_name: str, version: str, request: Request) -> Response:
        """Outputs of that version, if it is the newest promoted one."""
        asked, answer = await asking.answer(model_name, request)
        if str(answer.version) != version:
            raise HTTPException(404, f"version {version} of {model_name} is not served, version {answer.version} is")
        return _response(model_name, asked, answer)

    return app


def _response(model_name: str, asked: InferRequest, answer: Answer) -> Response:
    response = InferResponse(
        id=asked.id,
        model_name=model_name,
        model_version=str(answer.version),
        parameters={
            "promotion": answer.promotion,
            "variant": answer.variant,
            "artefact_sha256": answer.artefact_sha256.hex(),
        },
        outputs=[],
    )
    body, json_length = rendered(asked, response, answer.outputs)
    if json_length is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type="application/octet-stream", headers={JSON_LENGTH: str(json_length)})


async def _gone(request: Request, error: Exception) -> Response:
    """The client hung up before it had sent what it announced: nothing is wrong here."""
    return Response(status_code=_GONE)


async def _as_error(request: Request, error: Exception) -> JSONResponse:
    """Errors in the protocol's form."""
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)
