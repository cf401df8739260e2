"""Asking a federation's released model, over Kafka.

    with Client(Federation.load(path), "clinic-7", SigningKey.load(key)) as client:
        answer = client.infer("heart", inputs)                # [B, ...], a model is given float32
        answers = [client.submit("heart", part) for part in parts]   # futures
        answer = await client.infer_async("heart", inputs)

Requests are signed by the caller, an enrolled participant; answers by the federation. Each names the release, version,
variant and digest that it rests on.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fluvial.identity.envelope import seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.tensors import check_divisor, packed
from fluvial.kafka import Reader, Transport, TransportUnavailable, connect
from fluvial.wire.errors import FluvialError, TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import InferenceAnswer, InferenceRequest, InferenceResults, InferenceStatus

TIMEOUT_SECONDS = 15.0
"""Default of the longest wait for an answer; the task's own deadline is usually shorter."""

DEADLINE_MS = 120_000
"""Of a request that names no deadline: long past all waiting, and short enough that the worker which answered it still
knows, should somebody write a copy of it."""

_POLL_SECONDS = 0.05
_log = logger(__name__)


class InferenceRefused(FluvialError):
    """A request got no outputs. status: what became of it."""

    def __init__(self, status: InferenceStatus, reason: str) -> None:
        super().__init__(f"{status.value}: {reason}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """outputs: float32[B, ...]. The rest names what they rest on: promotion number, version, variant, digest."""

    outputs: NDArray[np.float32]
    promotion: int
    version: int
    variant: str
    artefact_sha256: bytes


class Client:
    """Threads may share it; many requests may be under way at once."""

    def __init__(self, federation: Federation, name: str, key: SigningKey, transport: Transport | None = None) -> None:
        """name, key: of an enrolled participant. transport: shared with others, and then left open by `close`. Raises
        TransportUnavailable, TransportFailed."""
        self.name = name
        self._federation, self._key = federation, key
        self._signer = bytes.fromhex(federation.aggregator_key)
        self._owns_transport = transport is None
        self._transport = connect(federation.brokers, f"fluvial-{name}") if transport is None else transport
        self._waiting: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        bounds = self._transport.bounds(federation.topics.results)
        self._partition = secrets.choice(sorted(bounds))
        # Of requests: spread by their keys, those of one moment would be many small batches for the broker (KIP-480).
        self._sends_to = secrets.choice(sorted(self._transport.bounds(federation.topics.requests)))
        start = {self._partition: bounds[self._partition].end}
        self._reader: Reader = self._transport.read(federation.topics.results, start)
        self._thread = threading.Thread(target=self._read, name="fluvial-answers", daemon=True)
        self._thread.start()

    def submit(
        self, task: str, inputs: NDArray[np.generic], deadline_ms: int = 0, *, divisor: float = 1.0
    ) -> Future[Answer]:
        """Ask, and do not wait. inputs: [B, ...]; uint8 and float16 are sent as they are, all else as float32.
        deadline_ms: time of day, milliseconds since 1970, by which the answer is of use, no later than the task's terms
        say; 0: as they say. divisor: the model is given the inputs divided by this (pictures: uint8, 255), in float32.
        The future raises InferenceRefused. Raises ValueError for a divisor that is not positive, and for
        inputs that are no numbers."""
        check_divisor(divisor)
        datatype, array = packed(np.asarray(inputs))
        request = InferenceRequest(
            task=task,
            request_id=secrets.token_hex(12),
            caller=self.name,
            reply_partition=self._partition,
            shape=array.shape,
            inputs=array.tobytes(),
            deadline_ms=deadline_ms or int(time.time() * 1000) + DEADLINE_MS,
            datatype=datatype,
            divisor=divisor,
        )
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting[request.request_id] = future
        future.add_done_callback(lambda _: self._forget(request.request_id))
        record = seal(request, self._key, self.name, self._federation.topics.scope)
        topic, request_key = self._federation.topics.requests, request.request_id.encode()
        try:
            sent = self._transport.produce(topic, record, key=request_key, partition=self._sends_to)
        except BaseException:
            self._forget(request.request_id)
            raise
        sent.add_done_callback(lambda done: self._sent(request.request_id, done.exception()))
        return future

    def infer(
        self, task: str, inputs: NDArray[np.generic], timeout: float = TIMEOUT_SECONDS, *, divisor: float = 1.0
    ) -> Answer:
        """Ask, and wait. Raises InferenceRefused, TransportUnavailable (no answer in `timeout` seconds: is the stage
        inference running?)."""
        future = self.submit(task, inputs, divisor=divisor)
        try:
            return future.result(timeout)
        except TimeoutError as error:
            future.cancel()
            raise TransportUnavailable(
                f"no answer within {timeout:.0f} s: is the stage inference running (fluvial submit inference)?"
            ) from error

    async def infer_async(
        self, task: str, inputs: NDArray[np.generic], timeout: float = TIMEOUT_SECONDS, *, divisor: float = 1.0
    ) -> Answer:
        """As `infer`, in an event loop."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self.submit(task, inputs, divisor=divisor)), timeout)
        except TimeoutError as error:
            raise TransportUnavailable(f"no answer within {timeout:.0f} s: is the stage inference running?") from error

    def close(self) -> None:
        """End the connection; what is still waiting for an answer is cancelled."""
        self._closing.set()
        self._thread.join(10)
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.cancel()
        if self._owns_transport:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self, request_id: str) -> None:
        """Also of a request that was given up: a gateway asks for months."""
        with self._lock:
            self._waiting.pop(request_id, None)

    def _sent(self, request_id: str, error: BaseException | None) -> None:
        if error is not None:
            self._finish(request_id, error)

    def _read(self) -> None:
        told = ""
        while not self._closing.is_set():
            try:
                for message in self._reader.poll(_POLL_SECONDS):
                    self._take(message.value or b"")
            except TransportError as error:  # this thread is the only one that hears answers: it goes on
                if str(error) != told:
                    _log.warning("answers are not heard: %s", error)
                told = str(error)
                time.sleep(_POLL_SECONDS)
        self._reader.close()

    def _take(self, record: bytes) -> None:
        try:
            results = unseal(record, InferenceResults, self._signer, self._federation.topics.scope)
        except FluvialError:
            return  # anybody may write to the topic
        for answer in results.answers:
            if answer.caller == self.name:
                self._finish(answer.request_id, _outcome(results, answer))

    def _finish(self, request_id: str, outcome: Answer | BaseException) -> None:
        with self._lock:
            future = self._waiting.pop(request_id, None)
        if future is None:
            return  # a repeat after a restart, or one that was given up
        try:
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        except InvalidStateError:
            pass  # cancelled by its owner


def _outcome(results: InferenceResults, answer: InferenceAnswer) -> Answer | InferenceRefused:
    if answer.status is not InferenceStatus.ANSWERED:
        return InferenceRefused(answer.status, answer.reason)
    return Answer(
        outputs=np.frombuffer(answer.outputs, "<f4").reshape(tuple(answer.shape)),
        promotion=results.promotion,
        version=results.version,
        variant=results.variant,
        artefact_sha256=results.artefact_sha256,
    )
