"""Who asks the stage inference, for `fluvial bench inference`: `python -m deploy.bench.serving.kafka_load`.

All requests are made and signed before the first is sent: in a federation that is the callers' work, on their machines.
Answers are taken as they come, and verified and opened after the last, so that the load does not slow itself down.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.bench.serving.digits import PICTURE_DIVISOR
from deploy.bench.serving.load_process import load_arguments, send_at, wait_for_start
from deploy.bench.serving.open_loop import Outcome, arrivals
from fluvial.identity.envelope import seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Reader, connect
from fluvial.kafka.librdkafka import clients
from fluvial.wire.records import InferenceRequest, InferenceResults, InferenceStatus

_LINGER_MS = 5
"""Kafka's own default (KIP-1030); it counts in every latency."""
_GRACE_SECONDS = 3.0
_POLL_SECONDS = 0.05


def main() -> None:
    parser = load_arguments(__doc__)
    parser.add_argument("--federation", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--task", required=True)
    arguments = parser.parse_args()
    federation = Federation.load(arguments.federation)
    key = SigningKey.load(arguments.key)
    inputs = np.load(arguments.inputs, allow_pickle=False)
    intended = arrivals(arguments.per_second, arguments.seconds, arguments.seed)
    random = np.random.default_rng(arguments.seed)
    with closing(connect(federation.brokers, "bench-load")) as transport:
        bounds = transport.bounds(federation.topics.results)
        partition = min(bounds)
        reader = transport.read(federation.topics.results, {partition: bounds[partition].end})
        prefix = f"{time.time_ns():x}-"
        requests: list[tuple[bytes, bytes]] = []
        for number in range(len(intended)):
            chosen = inputs[random.integers(0, len(inputs), arguments.examples)]
            request = InferenceRequest(
                task=arguments.task,
                request_id=f"{prefix}{number}",
                caller=arguments.name,
                reply_partition=partition,
                shape=chosen.shape,
                inputs=chosen.tobytes(),
                datatype="UINT8",
                divisor=PICTURE_DIVISOR,
            )
            record = seal(request, key, arguments.name, federation.topics.scope)
            requests.append((request.request_id.encode(), record))
        producer = clients.producer(
            federation.brokers,
            "bench-load",
            {
                "linger.ms": _LINGER_MS,
                "acks": "all",
                "message.max.bytes": 4 << 20,
                "batch.size": 1 << 20,
                "queue.buffering.max.kbytes": 1 << 20,
                "queue.buffering.max.messages": 1_000_000,
            },
        )
        producer.list_topics(federation.topics.requests, timeout=10)
        wait_for_start()
        answers = Answers(reader)
        topic = federation.topics.requests

        def send(number: int) -> None:
            request_id, record = requests[number]
            # As `fluvial.inference.Client`: one caller's requests go to one partition.
            producer.produce(topic, record, key=request_id, partition=partition)
            if number % 64 == 0:
                producer.poll(0)

        answers.start()
        begin = send_at(intended.tolist(), send)
        producer.flush(30)
        answers.finish(_GRACE_SECONDS)
    signer = bytes.fromhex(federation.aggregator_key)
    outcome = answers.outcome(prefix, begin + intended, signer, federation.topics.scope)
    outcome.save(arguments.out)


class Answers:
    """Takes records of topic results with the time at which they came."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._records: list[tuple[float, bytes]] = []
        self._ending = threading.Event()
        self._quiet_since = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, grace_seconds: float) -> None:
        """Until nothing has come for so long."""
        while time.monotonic() - self._quiet_since < grace_seconds:
            time.sleep(0.1)
        self._ending.set()
        self._thread.join()
        self._reader.close()

    def outcome(self, prefix: str, intended: NDArray[np.float64], signer: bytes, scope: str) -> Outcome:
        count = len(intended)
        received = np.full(count, np.nan)
        promotion, answers = np.zeros(count, np.int64), np.zeros(count, np.int64)
        refused, computed = np.zeros(count, np.bool_), np.full(count, np.nan)
        since_epoch = time.time() - time.monotonic()
        for at, value in self._records:
            results = unseal(value, InferenceResults, signer, scope)
            for answer in results.answers:
                if not answer.request_id.startswith(prefix):
                    continue
                number = int(answer.request_id.removeprefix(prefix))
                answers[number] += 1
                if answers[number] == 1:
                    received[number], promotion[number] = at, results.promotion
                    refused[number] = answer.status is not InferenceStatus.ANSWERED
                    computed[number] = results.answered_ms / 1000.0 - since_epoch
        return Outcome(
            intended=intended,
            received=received,
            computed=computed,
            promotion=promotion,
            answers=answers,
            refused=refused,
        )

    def _run(self) -> None:
        while not self._ending.is_set():
            for message in self._reader.poll(_POLL_SECONDS):
                self._quiet_since = time.monotonic()
                self._records.append((self._quiet_since, message.value or b""))


if __name__ == "__main__":
    main()
