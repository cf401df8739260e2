"""The client of inference, against a worker that answers from the same topics."""

import asyncio
import threading
import time

import numpy as np
import pytest

from fluvial.identity.envelope import seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.client import Client, InferenceRefused
from fluvial.inference.tensors import unpacked
from fluvial.kafka import TransportFailed, TransportUnavailable
from fluvial.wire.records import InferenceAnswer, InferenceRequest, InferenceResults, InferenceStatus
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

AGGREGATOR, ANNA = SigningKey.generate(), SigningKey.generate()


@pytest.fixture
def federation():
    return Federation(
        bootstrap_servers="unused:1",
        operator_key="00" * 32,
        registrar_key="00" * 32,
        aggregator_key=AGGREGATOR.public_key.hex(),
        log_key="unused",
    )


class Worker:
    """Doubles what it is asked; refuses what holds a negative number. forger: answers everything first, wrongly."""

    def __init__(self, federation, transport, forger=False, silent=False):
        self.federation, self.transport, self.forger, self.silent = federation, transport, forger, silent
        self.requests = []
        self.reader = transport.read(federation.topics.requests)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.stopping.is_set():
            for message in self.reader.poll(0.02):
                request = unseal(message.value, InferenceRequest, ANNA.public_key)
                if self.silent:
                    continue
                if self.forger:
                    self.answer(request, SigningKey.generate(), 100)
                    self.transport.produce(self.federation.topics.results, b"junk", key=b"", partition=0).result(5)
                self.answer(request, AGGREGATOR, 2)

    def answer(self, request, key, factor):
        self.requests.append(request)
        inputs = unpacked(request.inputs, request.datatype, request.divisor).reshape(tuple(request.shape))
        refused = bool((inputs < 0).any())
        answer = InferenceAnswer(
            caller=request.caller,
            request_id=request.request_id,
            status=InferenceStatus.BAD_INPUT if refused else InferenceStatus.ANSWERED,
            reason="negative" if refused else "",
            shape=() if refused else inputs.shape,
            outputs=b"" if refused else (inputs * factor).astype("<f4").tobytes(),
        )
        results = InferenceResults(
            task=request.task,
            promotion=3,
            version=8,
            variant="int8",
            artefact_sha256=bytes(32),
            answers=(answer,),
            answered_ms=0,
            worker="0",
        )
        record = seal(results, key, "aggregator")
        for _ in range(2):  # a restart may write results again
            topic = self.federation.topics.results
            self.transport.produce(topic, record, key=b"", partition=request.reply_partition).result(5)

    def close(self):
        self.stopping.set()
        self.thread.join(5)


@pytest.fixture
def transport(federation):
    return MemoryTransport({federation.topics.requests: 2, federation.topics.results: 2})


@pytest.fixture
def worker(federation, transport):
    worker = Worker(federation, transport, forger=True)
    yield worker
    worker.close()


def test_an_answer_names_what_it_rests_on_and_forgeries_are_passed_over(federation, transport, worker):
    with Client(federation, "anna", ANNA, transport) as client:
        answer = client.infer("credit", np.ones((2, 3), np.float32))
    assert answer.outputs.tolist() == [[2.0] * 3] * 2
    assert (answer.promotion, answer.version, answer.variant) == (3, 8, "int8")


def test_many_requests_are_under_way_at_once_and_each_gets_its_own_answer(federation, transport, worker):
    with Client(federation, "anna", ANNA, transport) as client:
        futures = [client.submit("credit", np.full((1, 2), number, np.float32)) for number in range(50)]
        assert [future.result(10).outputs[0, 0] for future in futures] == [2.0 * number for number in range(50)]


@pytest.mark.parametrize(
    ("kind", "datatype", "size"),
    [("u1", "UINT8", 1), ("f2", "FP16", 2), ("f4", "FP32", 4), (">f4", "FP32", 4), ("f8", "FP32", 4)],
)
def test_inputs_are_sent_as_what_they_are_and_as_float32_where_that_cannot_be(
    federation, transport, worker, kind, datatype, size
):
    with Client(federation, "anna", ANNA, transport) as client:
        answer = client.infer("credit", np.array([[51, 255]], kind), divisor=255.0)
        assert answer.outputs.tolist() == [[np.float32(51) / np.float32(255) * 2, 2.0]]
        with pytest.raises(ValueError, match="a positive number, not by 0"):
            client.submit("credit", np.ones((1, 1)), divisor=0)
    assert (worker.requests[0].datatype, len(worker.requests[0].inputs)) == (datatype, 2 * size)


def test_one_callers_requests_go_to_one_partition_so_that_those_of_a_moment_are_one_batch(
    federation, transport, worker
):
    with Client(federation, "anna", ANNA, transport) as client:
        for future in [client.submit("credit", np.ones((1, 1), np.float32)) for _ in range(20)]:
            future.result(10)
    reader = transport.read(federation.topics.requests)
    found = []
    while len(found) < 20:
        found += reader.poll(1.0)
    assert len({message.partition for message in found}) == 1
    assert len({message.key for message in found}) == 20


def test_a_refusal_is_an_error_that_says_why(federation, transport, worker):
    with Client(federation, "anna", ANNA, transport) as client:
        with pytest.raises(InferenceRefused, match="BAD_INPUT: negative") as caught:
            client.infer("credit", -np.ones((1, 3), np.float32))
        assert caught.value.status is InferenceStatus.BAD_INPUT


def test_an_event_loop_can_wait_for_answers(federation, transport, worker):
    async def ask(client):
        inputs = [np.full((1, 1), number, np.float32) for number in range(5)]
        return await asyncio.gather(*(client.infer_async("credit", values) for values in inputs))

    with Client(federation, "anna", ANNA, transport) as client:
        answers = asyncio.run(ask(client))
    assert [float(answer.outputs[0, 0]) for answer in answers] == [0, 2, 4, 6, 8]


def test_silence_is_told_with_what_to_do(federation, transport):
    worker = Worker(federation, transport, silent=True)
    try:
        with Client(federation, "anna", ANNA, transport) as client:
            with pytest.raises(TransportUnavailable, match="fluvial submit inference"):
                client.infer("credit", np.ones((1, 1), np.float32), timeout=0.2)
            with pytest.raises(TransportUnavailable, match="no answer"):
                asyncio.run(client.infer_async("credit", np.ones((1, 1), np.float32), timeout=0.2))
            assert client._waiting == {}  # what was given up is forgotten
            waiting = client.submit("credit", np.ones((1, 1), np.float32))
        assert waiting.cancelled()
    finally:
        worker.close()


def test_every_request_has_a_deadline_that_its_caller_signed(federation, transport):
    with Client(federation, "anna", ANNA, transport) as client:
        client.submit("credit", np.ones((1, 1), np.float32))
        (message,) = transport.messages(federation.topics.requests)
    request = unseal(message.value, InferenceRequest, ANNA.public_key)
    assert 0 < request.deadline_ms - time.time() * 1000 < 150_000
    assert message.key == request.request_id.encode()


def test_a_broker_that_says_no_for_a_while_does_not_end_the_thread_that_hears_answers(federation, transport, worker):
    with Client(federation, "anna", ANNA, transport) as client:
        poll, refusals = client._reader.poll, iter([TransportFailed("not authorised just now"), TransportFailed("no")])

        def stubborn(seconds):
            if (error := next(refusals, None)) is not None:
                raise error
            return poll(seconds)

        client._reader.poll = stubborn
        assert client.infer("credit", np.ones((1, 2), np.float32), 10).version == 8
        assert client._thread.is_alive()
