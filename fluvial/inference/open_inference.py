"""Requests and responses of the Open Inference Protocol (version 2, REST), as bytes. Pure.

Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md; for tensors as raw bytes behind the
JSON, which Triton's clients send unless told otherwise, triton-inference-server/server,
docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fluvial.inference.session import INPUT, OUTPUT

JSON_LENGTH = "Inference-Header-Content-Length"
"""HTTP header: how many bytes of a body are JSON; tensors follow."""

DATATYPES = {"FP32": "<f4", "FP64": "<f8", "INT32": "<i4", "INT64": "<i8", "UINT8": "|u1"}
"""Datatypes of inputs; bytes go on as they are, the others become float32."""

MAX_VALUES = 4 << 20
"""Values of a request: of a byte each they fill the record that it becomes."""

MAX_LISTS = 1 << 19
"""Lists and objects in a request. Values may be nested, but a list for each value costs seconds to read, in which no
other thread runs."""


class Parameters(BaseModel):
    """What is read of a tensor's or a request's parameters."""

    model_config = ConfigDict(extra="allow")

    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool = False


class InferTensor(BaseModel):
    """A tensor of the protocol, its values in row-major order, flat or nested; without data they follow the JSON."""

    model_config = ConfigDict(extra="allow")

    name: str = INPUT
    shape: list[int]
    datatype: str
    parameters: Parameters = Parameters()
    data: list[Any] | None = None


class RequestedOutput(BaseModel):
    """An output that is asked for."""

    model_config = ConfigDict(extra="allow")

    name: str
    parameters: Parameters = Parameters()


class InferRequest(BaseModel):
    """A request of the protocol, with one input tensor."""

    model_config = ConfigDict(extra="allow")

    id: str = ""
    inputs: list[InferTensor] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = []
    parameters: Parameters = Parameters()

    @property
    def wants_binary(self) -> bool:
        """Whether the outputs are to follow the JSON as raw bytes."""
        asked = self.outputs[0].parameters.binary_data if self.outputs else None
        return self.parameters.binary_data_output if asked is None else asked


class OutputTensor(BaseModel):
    """A tensor of a response."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, int] | None = None
    data: list[float] | None = None


class InferResponse(BaseModel):
    """A response of the protocol. parameters: promotion, variant and artefact_sha256 of what answered."""

    model_config = ConfigDict(protected_namespaces=())

    id: str = ""
    model_name: str
    model_version: str
    parameters: dict[str, int | str]
    outputs: list[OutputTensor]


class ErrorResponse(BaseModel):
    """What went wrong, in words."""

    error: str


def parsed(body: bytes, json_length: str | None) -> tuple[InferRequest, NDArray[np.generic]]:
    """The request, and its inputs in the tensor's shape. json_length: value of the header JSON_LENGTH, if there is one.
    Raises ValueError that says what is wrong."""
    try:
        length = len(body) if json_length is None else int(json_length)
        if not 0 <= length <= len(body):
            raise ValueError(f"{JSON_LENGTH} is {json_length}, the body has {len(body)} bytes")
        head = body[:length]
        if head.count(b",") > MAX_VALUES:
            raise ValueError(f"a request has at most {MAX_VALUES} values: ask for fewer examples at once")
        if head.count(b"[") + head.count(b"{") > MAX_LISTS:
            raise ValueError(
                f"a request has at most {MAX_LISTS} lists: give the data flat, in row-major order, or as bytes behind "
                "the JSON"
            )
        request = InferRequest.model_validate_json(head)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())
        raise ValueError(wrong) from error
    for output in request.outputs:
        if output.name != OUTPUT:
            raise ValueError(f"there is no output {output.name!r}, only {OUTPUT!r}")
    return request, _inputs_of(request.inputs[0], body[length:])


def rendered(request: InferRequest, response: InferResponse, outputs: NDArray[np.float32]) -> tuple[bytes, int | None]:
    """The body of a response, and how many of its bytes are JSON where tensors follow. outputs: float32[B, ...]."""
    raw = np.ascontiguousarray(outputs, "<f4").tobytes()
    tensor = OutputTensor(name=OUTPUT, shape=list(outputs.shape), datatype="FP32")
    if request.wants_binary:
        tensor.parameters = {"binary_data_size": len(raw)}
        head = response.model_copy(update={"outputs": [tensor]}).model_dump_json(exclude_none=True).encode()
        return head + raw, len(head)
    tensor.data = outputs.ravel().tolist()
    return response.model_copy(update={"outputs": [tensor]}).model_dump_json(exclude_none=True).encode(), None


def _as_sent(data: list[Any], kind: str) -> NDArray[Any]:
    """The values as this datatype. Raises ValueError for what it cannot hold: whoever sends 1.5 as INT32 is not to be
    answered for 1."""
    if not _numbers_alone(data):  # before NumPy sees it: of one long text it makes room for one in each place
        raise ValueError("they are not all numbers")
    sent = np.asarray(data) if data else np.zeros(0)
    if sent.dtype.kind not in "iufb":
        raise ValueError("they are not all numbers")
    with np.errstate(all="ignore"):
        values: NDArray[Any] = sent.astype(kind)
        if values.dtype.kind != "f" and not (values == sent).all():
            raise ValueError("they are no whole numbers in its range")
    return values


_NUMBERS = {int, float, bool}


def _numbers_alone(data: list[Any]) -> bool:
    """Whether there are numbers alone, in lists of lists all equally deep."""
    while kinds := set(map(type, data)):
        if kinds <= _NUMBERS:
            return True
        if kinds != {list}:
            return False
        data = list(chain.from_iterable(data))
    return True


def _inputs_of(tensor: InferTensor, behind: bytes) -> NDArray[np.generic]:
    kind = DATATYPES.get(tensor.datatype)
    if kind is None:
        raise ValueError(f"datatype {tensor.datatype} is not taken: {', '.join(DATATYPES)} are")
    size = tensor.parameters.binary_data_size
    if (size or 0) != len(behind):
        raise ValueError(f"{tensor.name}: {len(behind)} bytes follow the JSON, binary_data_size is {size or 0}")
    try:
        values: NDArray[np.generic]
        if size is None:
            values = _as_sent(tensor.data or [], kind)
        else:
            values = np.frombuffer(behind, kind)
        if tensor.datatype != "UINT8":
            with np.errstate(over="ignore"):  # what becomes infinite is refused where the model runs
                values = values.astype(np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"the data of {tensor.name} are no {tensor.datatype}: {error}") from error
    if min(tensor.shape, default=0) < 1 or values.size != prod(tensor.shape):
        raise ValueError(f"{values.size} values do not make the shape {tensor.shape}")
    return values.reshape(tensor.shape)
