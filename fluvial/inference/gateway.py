"""The released models over HTTP, for clients that speak the Open Inference Protocol (version 2, REST).

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md. The gateway holds no model: it puts
requests on the topics and gives back what the stage inference answered, so that each answer names the release that it
rests on (`parameters` of the response). A model is a task; its versions are those of the federation.

Needs fastapi (`fluvial[serve]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
from fastapi import FastAPI, HTTPException
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

import fluvial
from fluvial.inference.client import Answer, InferenceRefused
from fluvial.kafka import TransportUnavailable
from fluvial.wire.records import InferenceStatus

INPUT, OUTPUT = "inputs", "outputs"

_HTTP_STATUS = {
    InferenceStatus.NO_RELEASE: 503,
    InferenceStatus.UNKNOWN_TASK: 404,
    InferenceStatus.OVER_QUOTA: 429,
    InferenceStatus.EXPIRED: 504,
}
"""What a refusal is in HTTP; anything else is the request's fault, 400."""

_DATATYPES = {"FP32": np.float32, "FP64": np.float64, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8}
"""Datatypes of inputs, which become float32."""


class Asks(Protocol):
    """What is used of `fluvial.inference.client.Client`."""

    async def infer_async(self, task: str, inputs: NDArray[np.float32], timeout: float = ...) -> Answer: ...


class InferTensor(BaseModel):
    """A tensor of the protocol, its values in row-major order, flat or nested."""

    model_config = ConfigDict(extra="allow")

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferRequest(BaseModel):
    """A request of the protocol, with one input tensor."""

    model_config = ConfigDict(extra="allow")

    id: str = ""
    inputs: list[InferTensor] = Field(min_length=1, max_length=1)


class InferResponse(BaseModel):
    """A response of the protocol. parameters: promotion, variant and artefact_sha256 of what answered."""

    model_config = ConfigDict(protected_namespaces=())

    id: str = ""
    model_name: str
    model_version: str
    parameters: dict[str, int | str]
    outputs: list[InferTensor]


def gateway(client: Asks, tasks: Sequence[str], timeout: float) -> FastAPI:
    """The application. tasks: those that may be asked for. timeout: seconds to wait for an answer."""
    app = FastAPI(title="Fluvial inference", version=fluvial.__version__, docs_url="/docs", redoc_url=None)

    def known(name: str) -> str:
        if name not in tasks:
            raise HTTPException(404, f"no such model: {name}; there are {', '.join(tasks) or 'none'}")
        return name

    @app.get("/v2", tags=["server"])
    async def server() -> dict[str, Any]:
        """Name and version of the server."""
        return {"name": "fluvial", "version": fluvial.__version__, "extensions": []}

    @app.get("/v2/health/live", tags=["server"])
    async def live() -> dict[str, bool]:
        """Whether the server runs."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["server"])
    async def ready() -> dict[str, bool]:
        """Whether the server takes requests."""
        return {"ready": True}

    @app.get("/v2/models/{model_name}", tags=["model"])
    async def model(model_name: str) -> dict[str, Any]:
        """What a model takes and gives."""
        return {
            "name": known(model_name),
            "platform": "onnx_onnxruntime",
            "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1]}],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1]}],
        }

    @app.get("/v2/models/{model_name}/ready", tags=["model"])
    async def model_ready(model_name: str) -> dict[str, Any]:
        """Whether the model is known here. Whether something is released, an answer tells."""
        return {"name": known(model_name), "ready": True}

    @app.post("/v2/models/{model_name}/infer", tags=["model"])
    async def infer(model_name: str, request: InferRequest) -> InferResponse:
        """Outputs of the newest promoted release."""
        inputs = _inputs_of(request.inputs[0])
        try:
            answer = await client.infer_async(known(model_name), inputs, timeout)
        except InferenceRefused as error:
            raise HTTPException(_HTTP_STATUS.get(error.status, 400), str(error)) from error
        except TransportUnavailable as error:
            raise HTTPException(504, str(error)) from error
        output = InferTensor(
            name=OUTPUT, shape=list(answer.outputs.shape), datatype="FP32", data=answer.outputs.ravel().tolist()
        )
        return InferResponse(
            id=request.id,
            model_name=model_name,
            model_version=str(answer.version),
            parameters={
                "promotion": answer.promotion,
                "variant": answer.variant,
                "artefact_sha256": answer.artefact_sha256.hex(),
            },
            outputs=[output],
        )

    return app


def _inputs_of(tensor: InferTensor) -> NDArray[np.float32]:
    """float32 of the tensor's shape. Raises HTTPException for values that do not fit it."""
    kind = _DATATYPES.get(tensor.datatype)
    if kind is None:
        raise HTTPException(400, f"datatype {tensor.datatype} is not taken: {', '.join(_DATATYPES)} are")
    try:
        values = np.asarray(tensor.data, kind).astype(np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise HTTPException(400, f"the data of {tensor.name} are no {tensor.datatype}: {error}") from error
    if min(tensor.shape, default=0) < 1 or values.size != prod(tensor.shape):
        raise HTTPException(400, f"{values.size} values do not make the shape {tensor.shape}")
    return values.reshape(tensor.shape)
