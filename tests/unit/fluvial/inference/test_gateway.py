"""The HTTP gateway, asked as clients of the Open Inference Protocol ask."""

import asyncio
import json

import httpx
import numpy as np
import pytest

from fluvial.inference.bodies import MAX_BODY_BYTES
from fluvial.inference.client import Answer, InferenceRefused
from fluvial.inference.gateway import gateway
from fluvial.inference.open_inference import MAX_LISTS, MAX_VALUES
from fluvial.kafka import TransportFailed, TransportUnavailable
from fluvial.wire.records import InferenceStatus


class Federation:
    """Doubles its inputs, or raises what it is told to."""

    def __init__(self):
        self.error = None
        self.asked = []

    async def infer_async(self, task, inputs, timeout=0.0):
        self.asked.append((task, inputs, timeout))
        if self.error is not None:
            raise self.error
        return Answer(outputs=inputs * 2, promotion=3, version=8, variant="int8", artefact_sha256=b"\x01" * 32)


@pytest.fixture
def federation():
    return Federation()


class Http:
    """Asks the application in this process, a request at a time."""

    def __init__(self, application):
        self._application = application

    def get(self, path):
        return self._ask("GET", path)

    def post(self, path, json):
        return self._ask("POST", path, json=json)

    def post_bytes(self, path, content, json_length):
        return self._ask("POST", path, content=content, headers={"Inference-Header-Content-Length": str(json_length)})

    def _ask(self, method, path, **content):
        async def ask():
            transport = httpx.ASGITransport(app=self._application)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.request(method, path, **content)

        return asyncio.run(ask())


@pytest.fixture
def http(federation):
    return Http(gateway(federation, ["credit", "heart"], 7.0))


def body(data, shape, datatype="FP32", **more):
    return {"inputs": [{"name": "inputs", "shape": shape, "datatype": datatype, "data": data}], **more}


def test_an_answer_has_the_protocols_form_and_names_its_release(http, federation):
    response = http.post("/v2/models/credit/infer", json=body([1, 2, 3, 4], [2, 2], id="a"))
    assert response.status_code == 200
    assert response.json() == {
        "id": "a",
        "model_name": "credit",
        "model_version": "8",
        "parameters": {"promotion": 3, "variant": "int8", "artefact_sha256": "01" * 32},
        "outputs": [{"name": "outputs", "shape": [2, 2], "datatype": "FP32", "data": [2.0, 4.0, 6.0, 8.0]}],
    }
    ((task, inputs, timeout),) = federation.asked
    assert (task, inputs.dtype, inputs.shape, timeout) == ("credit", np.float32, (2, 2), 7.0)


def test_nested_data_and_whole_numbers_are_taken(http):
    assert http.post("/v2/models/credit/infer", json=body([[1, 2], [3, 4]], [2, 2], "INT64")).status_code == 200


def test_a_list_for_each_of_very_many_values_is_refused_before_it_is_read(http, federation):
    many = ",".join(["[1]"] * (MAX_LISTS + 1))
    request = f'{{"inputs": [{{"shape": [{MAX_LISTS + 1}, 1], "datatype": "UINT8", "data": [{many}]}}]}}'
    answer = http.post_bytes("/v2/models/credit/infer", request.encode(), len(request))
    assert answer.status_code == 400
    assert "flat" in answer.json()["error"]
    assert not federation.asked


def test_more_values_than_a_record_holds_are_refused_before_they_are_read(http, federation):
    request = '{"inputs": [{"shape": [1], "datatype": "UINT8", "data": [1' + ",1" * MAX_VALUES + "]}]}"
    answer = http.post_bytes("/v2/models/credit/infer", request.encode(), len(request))
    assert answer.status_code == 400
    assert "fewer examples" in answer.json()["error"]
    assert not federation.asked


def test_a_body_without_a_content_type_is_read(http):
    """Triton's client sends none."""
    response = http._ask("POST", "/v2/models/credit/infer", content=json.dumps(body([1], [1])).encode())
    assert response.status_code == 200


def test_tensors_may_follow_the_json_as_bytes_there_and_back(http, federation):
    raw = np.arange(6, dtype="<f4").tobytes()
    tensor = {"name": "inputs", "shape": [2, 3], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"id": "7", "inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    response = http.post_bytes("/v2/models/credit/infer", head + raw, len(head))
    assert response.status_code == 200
    length = int(response.headers["Inference-Header-Content-Length"])
    answer = json.loads(response.content[:length])
    assert answer["outputs"] == [
        {"name": "outputs", "shape": [2, 3], "datatype": "FP32", "parameters": {"binary_data_size": 24}}
    ]
    assert np.array_equal(np.frombuffer(response.content[length:], "<f4"), 2 * np.arange(6))
    assert federation.asked[0][1].shape == (2, 3)


def test_bytes_go_on_as_bytes_and_other_whole_numbers_as_float32(http, federation):
    tensor = {"name": "inputs", "shape": [2, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 6}}
    head = json.dumps({"inputs": [tensor]}).encode()
    assert http.post_bytes("/v2/models/credit/infer", head + bytes([0, 1, 2, 3, 4, 255]), len(head)).status_code == 200
    assert http.post("/v2/models/credit/infer", json=body([7], [1], "INT32")).status_code == 200
    assert [asked[1].dtype for asked in federation.asked] == [np.uint8, np.float32]
    assert federation.asked[0][1].tolist() == [[0, 1, 2], [3, 4, 255]]


@pytest.mark.parametrize(("length_of_head", "sent"), [(None, 20), (None, 28), (10_000, 24), (-1, 24), ("x", 24)])
def test_bytes_that_do_not_fit_the_json_are_refused(http, federation, length_of_head, sent):
    tensor = {"name": "inputs", "shape": [2, 3], "datatype": "FP32", "parameters": {"binary_data_size": 24}}
    head = json.dumps({"inputs": [tensor]}).encode()
    length = len(head) if length_of_head is None else length_of_head
    response = http.post_bytes("/v2/models/credit/infer", head + bytes(sent), length)
    assert response.status_code == 400
    assert "error" in response.json()
    assert federation.asked == []


def test_a_version_in_the_url_answers_if_it_is_the_one_that_serves(http):
    assert http.post("/v2/models/credit/versions/8/infer", json=body([1], [1])).status_code == 200
    response = http.post("/v2/models/credit/versions/7/infer", json=body([1], [1]))
    assert response.status_code == 404
    assert "version 8 is" in response.json()["error"]
    assert http.get("/v2/models/heart/versions/8/ready").status_code == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (body([1, 2, 3], [2, 2]), 400),
        (body([], [0, 2]), 400),
        (body([1], [-1]), 400),
        (body([1], []), 400),
        (body(["a"], [1]), 400),
        (body([[1], [2, 3]], [3]), 400),
        (body([1], [1], "BYTES"), 400),
        (body([300], [1], "UINT8"), 400),
        ({"inputs": []}, 400),
        ({}, 400),
        (body([1], [1], outputs=[{"name": "other"}]), 400),
    ],
)
def test_a_request_that_does_not_fit_is_refused_before_anybody_is_asked(http, federation, request_, status):
    assert http.post("/v2/models/credit/infer", json=request_).status_code == status
    assert federation.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InferenceRefused(InferenceStatus.NO_RELEASE, "nothing is promoted"), 503),
        (InferenceRefused(InferenceStatus.BAD_INPUT, "shape"), 400),
        (InferenceRefused(InferenceStatus.OVER_QUOTA, "too many"), 429),
        (InferenceRefused(InferenceStatus.EXPIRED, "late"), 504),
        (TransportUnavailable("no answer within 7 s"), 504),
    ],
)
def test_a_refusal_keeps_its_reason(http, federation, error, status):
    federation.error = error
    response = http.post("/v2/models/credit/infer", json=body([1], [1]))
    assert response.status_code == status
    assert response.json() == {"error": str(error)}


def test_server_and_models_describe_themselves(http):
    assert http.get("/v2").json()["name"] == "fluvial"
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert http.get("/v2/models/heart/ready").json() == {"name": "heart", "ready": True}
    assert http.get("/v2/models/heart").json()["inputs"][0]["datatype"] == "FP32"
    assert http.get("/v2/models/nobody").status_code == 404
    assert http.post("/v2/models/nobody/infer", json=body([1], [1])).status_code == 404
    assert http.get("/elsewhere").json() == {"error": "Not Found"}
    assert "/v2/models/{model_name}/infer" in http.get("/openapi.json").json()["paths"]


def tensor(datatype, data, shape=(1, 1)):
    return {"inputs": [{"name": "inputs", "shape": list(shape), "datatype": datatype, "data": data}]}


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("INT32", [1.5]),
        ("UINT8", [300]),
        ("UINT8", [-1]),
        ("UINT8", [2.7]),
        ("INT64", [1e30]),
        ("FP32", ["1.5"]),
        ("FP32", [None]),
        ("FP32", [{"a": 1}]),
        ("FP32", [[1], [1, 2]]),
    ],
)
def test_values_that_a_datatype_does_not_hold_are_refused_and_not_changed(http, federation, datatype, data):
    answer = http.post("/v2/models/credit/infer", json=tensor(datatype, data))
    assert answer.status_code == 400
    assert f"are no {datatype}" in answer.json()["error"]
    assert federation.asked == []


@pytest.mark.parametrize(("datatype", "data"), [("INT32", [2.0]), ("UINT8", [255]), ("FP32", [True]), ("INT64", [7])])
def test_values_that_it_holds_however_they_are_written_are_taken(http, datatype, data):
    assert http.post("/v2/models/credit/infer", json=tensor(datatype, data)).status_code == 200


def test_what_the_broker_does_not_take_is_told_in_the_protocols_form(http, federation):
    for error in (TransportFailed("the record is too large"), BufferError("the queue is full")):
        federation.error = error
        answer = http.post("/v2/models/credit/infer", json=tensor("FP32", [1.0]))
        assert answer.status_code == 503
        assert str(error) in answer.json()["error"]


def test_a_body_without_end_is_refused_before_it_is_held(http, federation):
    answer = http.post_bytes("/v2/models/credit/infer", b" " * (MAX_BODY_BYTES + 1), 2)
    assert answer.status_code == 413
    assert federation.asked == []
