"""A client that others wrote: `PYTHON -m tests.benchmarks.gateway.independent PORT INPUTS`, in an environment with
tritonclient[http] and NumPy. Prints what it found as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np


def ask(port: str, inputs: Any) -> dict[str, Any]:
    """Tensors as bytes and as JSON, in both directions; many at once; what is wrong."""
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException

    client = InferenceServerClient(f"127.0.0.1:{port}", concurrency=8)
    name = client.get_model_metadata("digits")["inputs"][0]["name"]

    def tensor(values: Any, binary: bool, datatype: str = "FP32") -> list[Any]:
        given = InferInput(name, list(values.shape), datatype)
        given.set_data_from_numpy(values, binary_data=binary)
        return [given]

    def outputs(binary: bool) -> list[Any]:
        return [InferRequestedOutput("outputs", binary_data=binary)]

    answers = [
        client.infer("digits", tensor(inputs, one), outputs=outputs(other)).as_numpy("outputs")
        for one in (True, False)
        for other in (True, False)
    ]
    waiting = [client.async_infer("digits", tensor(inputs[:1], True)) for _ in range(64)]
    at_once = sum(one.get_result().as_numpy("outputs").shape == (1, 10) for one in waiting)
    refusals = []
    for values, datatype in ((inputs[:, :, :5], "FP32"), (np.full_like(inputs, np.nan), "FP32"), (inputs > 0, "BOOL")):
        try:
            client.infer("digits", tensor(values, True, datatype))
            refusals.append("answered")
        except InferenceServerException as error:
            refusals.append(f"{error.status()}: {error.message()}")
    return {
        "live": client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits"),
        "same": all(np.array_equal(answers[0], answer) for answer in answers),
        "shape": list(answers[0].shape),
        "at_once": at_once,
        "refusals": refusals,
    }


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], np.load(sys.argv[2])[:32])))
