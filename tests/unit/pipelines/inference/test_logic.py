"""From requests to answers."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.framing import decode, encode
from fluvial.wire.records import InferenceRequest, InferenceResults, InferenceStatus
from pipelines.inference.logic import Asked, Model, answered, check_fits, inputs_of, results
from pipelines.inference.minutes import MINUTE_MS, Minute, minute_of
from pipelines.inference.quotas import Quotas

BATCHES: list[int] = []


def double(inputs):
    BATCHES.append(len(inputs))
    return inputs * 2


MODEL = Model(run=double, shape=(3,), promotion=7, version=2, variant="int8", artefact_sha256=b"\x01" * 32)


def a_request(inputs, request_id="r", partition=0, shape=None, kind="<f4", **fields):
    array = np.asarray(inputs, kind)
    return InferenceRequest(
        task="credit",
        request_id=request_id,
        caller="anna",
        reply_partition=partition,
        shape=array.shape if shape is None else shape,
        inputs=array.tobytes(),
        deadline_ms=0,
        **fields,
    )


def asked(*requests):
    return [Asked(request=request, arrived_ms=1_000) for request in requests]


def outputs_of(answer):
    return np.frombuffer(answer.outputs, "<f4").reshape(tuple(answer.shape))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 10))
def test_every_request_gets_its_own_outputs_whatever_the_batches(sizes, max_batch):
    BATCHES.clear()
    inputs = [np.full((size, 3), number, np.float32) for number, size in enumerate(sizes)]
    requests = asked(*(a_request(values, f"r{number}") for number, values in enumerate(inputs)))
    answers = {one.request.request_id: answer for one, answer in answered(MODEL, requests, max_batch)}
    assert len(answers) == len(sizes)
    for number, values in enumerate(inputs):
        np.testing.assert_array_equal(outputs_of(answers[f"r{number}"]), values * 2)
    assert sum(BATCHES) == sum(sizes)
    assert all(batch <= max_batch or batch in sizes for batch in BATCHES)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (a_request(np.zeros((2, 4))), r"has the shape \[3\], not \[4\]"),
        (a_request(np.zeros((0, 3))), "1 to 4096 examples"),
        (a_request(np.zeros((2, 3)), shape=(2, 3, 1)), "has the shape"),
        (a_request(np.zeros((2, 3)), shape=(3, 3)), "are no FP32"),
        (a_request(np.zeros((2, 3)), shape=()), "1 to 4096 examples"),
        (a_request(np.zeros((2, 3)), shape=(-2, 3)), "1 to 4096 examples"),
        (a_request(np.zeros((2, 3)), datatype="UINT8"), "24 bytes are no UINT8"),
        (a_request(np.zeros((2, 3)), datatype="BF16"), "BF16 are not taken: FP32, FP16, UINT8 are"),
        (a_request(np.zeros((2, 3)), divisor=0.0), "a positive number, not by 0.0"),
        (a_request(np.zeros((2, 3)), divisor=-1.0), "a positive number"),
        (a_request(np.zeros((2, 3)), divisor=float("inf")), "a positive number"),
        (a_request(np.zeros((2, 3)), divisor=float("nan")), "a positive number"),
        (a_request(np.zeros((2, 3)), divisor=1e-300), "a positive number"),
        (a_request(np.array([[np.nan, 0, 0]])), "finite"),
        (a_request(np.array([[np.inf, 0, 0]]), kind="<f2", datatype="FP16"), "finite"),
        (a_request(np.array([[3e38, 0, 0]]), divisor=1e-30), "finite"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_the_reason_and_stop_nobody(request_, message):
    if message != "finite":
        with pytest.raises(ValueError, match=message):
            check_fits(request_, MODEL.shape)
    good = a_request(np.ones((1, 3)), "good")
    answers = {one.request.request_id: answer for one, answer in answered(MODEL, asked(request_, good), 64)}
    assert answers["r"].status is InferenceStatus.BAD_INPUT
    assert re.search(message, answers["r"].reason)
    assert answers["good"].status is InferenceStatus.ANSWERED


@given(st.lists(st.tuples(st.sampled_from(["FP32", "FP16", "UINT8"]), st.sampled_from([1.0, 255.0])), max_size=9))
def test_requests_of_any_datatypes_are_one_batch_and_each_is_divided_as_its_caller_says(kinds):
    values = np.array([[0, 7, 255], [1, 128, 254]])
    codes = {"FP32": "<f4", "FP16": "<f2", "UINT8": "u1"}
    requests = asked(
        *(
            a_request(values, f"r{number}", kind=codes[datatype], datatype=datatype, divisor=divisor)
            for number, (datatype, divisor) in enumerate(kinds)
        )
    )
    BATCHES.clear()
    answers = {one.request.request_id: outputs_of(answer) for one, answer in answered(MODEL, requests, 64)}
    assert list(BATCHES) == ([2 * len(kinds)] if kinds else [])
    for number, (_, divisor) in enumerate(kinds):
        np.testing.assert_array_equal(answers[f"r{number}"], values.astype(np.float32) / np.float32(divisor) * 2)


def test_the_bytes_of_a_picture_become_the_very_float32_that_training_saw():
    picture = np.arange(256, dtype=np.uint8)[None]
    request = a_request(picture, kind="u1", datatype="UINT8", divisor=255.0)
    trained_on = picture.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(inputs_of([request]), trained_on)


def test_examples_of_different_sizes_are_run_apart_where_a_model_takes_both():
    model = Model(run=double, shape=(None,), promotion=1, version=1, variant="v", artefact_sha256=b"")
    requests = asked(a_request(np.ones((1, 3)), "a"), a_request(np.ones((1, 2)), "b"))
    found = {one.request.request_id: outputs_of(answer).shape for one, answer in answered(model, requests, 64)}
    assert found == {"a": (1, 3), "b": (1, 2)}


def test_a_model_that_cannot_run_a_batch_refuses_it():
    def broken(inputs):
        raise ValueError("does not run")

    model = Model(run=broken, shape=(3,), promotion=1, version=1, variant="v", artefact_sha256=b"")
    ((_, answer),) = answered(model, asked(a_request(np.ones((1, 3)))), 64)
    assert (answer.status, answer.reason) == (InferenceStatus.BAD_INPUT, "does not run")


@pytest.mark.parametrize("kept", [0, 1])
def test_a_model_that_loses_examples_gives_nobody_anothers_answer(kept):
    model = replace(MODEL, run=lambda inputs: inputs[:kept])
    requests = asked(a_request(np.ones((2, 3)), "a"), a_request(np.zeros((2, 3)), "b"))
    found = {answer.request_id: answer for _, answer in answered(model, requests, 64)}
    assert {answer.status for answer in found.values()} == {InferenceStatus.BAD_INPUT}
    assert f"gives {kept} outputs for 2 examples" in found["b"].reason


def test_inputs_that_a_model_cannot_run_cost_nobody_else_an_answer():
    def particular(inputs):
        if inputs.max() > 1:
            raise ValueError("overflow")
        return inputs

    model = Model(run=particular, shape=(3,), promotion=1, version=1, variant="v", artefact_sha256=b"")
    requests = asked(*(a_request(np.full((1, 3), value), f"r{value}") for value in (0, 5, 1)))
    answers = {one.request.request_id: answer.status for one, answer in answered(model, requests, 64)}
    assert answers == {
        "r0": InferenceStatus.ANSWERED,
        "r5": InferenceStatus.BAD_INPUT,
        "r1": InferenceStatus.ANSWERED,
    }


def test_results_go_where_callers_read_and_name_what_they_rest_on():
    requests = asked(*(a_request(np.ones((1, 3)), f"r{n}", partition=n % 2) for n in range(4)))
    records = list(results("credit", MODEL, answered(MODEL, requests, 64), 5, "0"))
    assert [partition for partition, _ in records] == [0, 1]
    for _, record in records:
        assert (record.promotion, record.version, record.variant) == (7, 2, "int8")
        assert len(record.answers) == 2
        assert decode(encode(record), InferenceResults) == record


def test_a_minute_counts_answers_refusals_and_latencies():
    minute = Minute(task="credit", worker="0", minute_ms=minute_of(MINUTE_MS + 5))
    requests = asked(a_request(np.ones((2, 3))), a_request(np.ones((2, 4))))
    for one, answer in answered(MODEL, requests, 64):
        minute.add(one, answer, 1_040)
    minute.add_results(b"record", MODEL)
    summary = minute.summary()
    assert (summary.requests, summary.examples, summary.refused, summary.results) == (2, 2, 1, 1)
    assert (summary.p50_us, summary.minute_ms, summary.version) == (40_000.0, MINUTE_MS, 2)


def test_a_clock_that_is_set_back_takes_no_callers_quota_away():
    quotas = Quotas(60)
    assert quotas.take("anna", 30, 3_600_000)
    assert quotas.take("anna", 30, 0)
    assert not quotas.take("anna", 1, 0)
    assert quotas.take("anna", 1, 1_000)


def test_a_caller_over_its_quota_waits_until_it_fills_again():
    quotas = Quotas(60)
    assert quotas.take("anna", 60, 0)
    assert not quotas.take("anna", 1, 0)
    assert quotas.take("ben", 60, 0)
    assert quotas.take("anna", 1, 1_000)
    quotas.forget(10 * MINUTE_MS)
    assert quotas._buckets == {}
    assert all(Quotas(0).take("anna", 10**6, 0) for _ in range(3))


def test_no_request_makes_a_record_that_the_broker_would_not_take():
    wide = Model(
        run=lambda inputs: np.repeat(inputs, 100, axis=1),
        shape=(3,),
        promotion=1,
        version=1,
        variant="v",
        artefact_sha256=b"",
    )
    requests = asked(*(a_request(np.ones((1_000, 3)), f"r{number}", partition=number % 2) for number in range(9)))
    huge = asked(a_request(np.ones((4_096, 3)), "huge"))
    found = list(answered(wide, [*requests, *huge], 64))
    records = list(results("credit", wide, found, 5, "0"))
    assert max(len(encode(record)) for _, record in records) < 3 << 20
    answers = {answer.request_id: answer for _, record in records for answer in record.answers}
    assert len(answers) == len(found) == 10
    assert answers["huge"].status is InferenceStatus.BAD_INPUT
    assert "ask for fewer examples at once" in answers["huge"].reason
    places = {answer.request_id: partition for partition, record in records for answer in record.answers}
    assert all(places[f"r{number}"] == number % 2 for number in range(9))


def test_refusals_alone_fill_no_record_either():
    requests = asked(*(a_request(np.ones((1, 4)), f"{number:0128}") for number in range(5_000)))
    records = list(results("credit", MODEL, answered(MODEL, requests, 64), 5, "0"))
    assert max(len(encode(record)) for _, record in records) < 3 << 20
    assert sum(len(record.answers) for _, record in records) == 5_000
