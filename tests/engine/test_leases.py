"""One writer a stage, in the engine: who was taken over ends and writes nothing more, and no transaction is lost
without a word."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer

from pipelines import running
from pipelines.config import Settings
from pipelines.flink import environment
from pipelines.flink.chunk_writer import chunk_writer
from pipelines.flink.environment import stream_environment
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.leased_producer import leased_producer
from pipelines.flink.leases import LeaseLog, LeaseLost, StagesHeld
from pipelines.flink.log_reader import read_to_end
from pipelines.flink.taking import take_stages
from pipelines.flink.transactions import BrokersTransactions
from pipelines.inference.results_writer import CONFIG, ResultsWriter
from pipelines.leases.endings import Ending, Start, ending_of
from tests.engine.copying import CopyWithOneFailure
from tests.engine.damaging import damaging

pytestmark = [pytest.mark.engine, pytest.mark.system, pytest.mark.timeout(180)]

STAGES = ["validation"]


class Context:
    """The runtime context of an operator with one subtask."""

    def get_index_of_this_subtask(self) -> int:
        return 0


class Copying:
    """A job that copies updates to verdicts, with their place in its headers."""

    def __init__(self, settings: Settings, name: str, restart_attempts: int = 30, *, fail: bool = False) -> None:
        settings = settings.model_copy(update={"restart_attempts": restart_attempts})
        flink = stream_environment(settings, name)
        self.settings = take_stages(settings, name, STAGES)
        graph = Graph(flink, self.settings, name, STAGES)
        topics = settings.topics
        copy = CopyWithOneFailure(topics.verdicts, topics.quarantine, fail=fail)
        graph.emit(graph.source("updates").process(copy, BYTES))
        graph.finish()
        self._client: Any = flink.execute_async(name)

    def ending(self) -> tuple[Ending, str]:
        """Waits until the job has failed."""
        with pytest.raises(Exception) as failure:  # noqa: PT011 py4j's
            self._client.get_job_execution_result().result()
        return ending_of(str(failure.value))

    def end_the_task_manager(self) -> None:
        cluster = self._client._j_job_client.getClass().getDeclaredField("miniCluster")
        cluster.setAccessible(True)
        cluster.get(self._client._j_job_client).terminateTaskManager(0).get()

    def cancel(self) -> None:
        self._client.cancel().result()


def publish(settings: Settings, count: int) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers.bootstrap_servers})
    for number in range(count):
        producer.produce(settings.topics.updates, b"value", f"k{number}".encode(), partition=number % 2)
    assert producer.flush(20) == 0


def copied(settings: Settings) -> dict[int, list[int]]:
    """By partition the offsets of topic updates that were copied, in the order of the copies."""
    found = defaultdict(list)
    for record in read_to_end(settings.brokers, settings.topics.verdicts, settle_seconds=20.0):
        headers = dict(record.headers)
        found[int(headers["partition"])].append(int(headers["offset"]))
    return dict(found)


def wait_for(settings: Settings, count: int) -> None:
    deadline = time.monotonic() + 60.0
    while sum(map(len, copied(settings).values())) < count:
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def test_a_job_that_was_taken_over_ends_for_good_and_says_by_whom(settings: Settings) -> None:
    job = Copying(settings, "first")
    publish(settings, 20)
    wait_for(settings, 20)
    with pytest.raises(StagesHeld, match="the stage validation is held by the job first on"):
        take_stages(settings, "second", STAGES)
    second = take_stages(settings, "second", STAGES, take_over=True)
    publish(settings, 20)
    ending, sentence = job.ending()
    assert ending is Ending.LEASE_LOST
    assert "held by the job second on" in sentence
    assert copied(settings) == {0: list(range(10)), 1: list(range(10))}

    # Idle or not, whatever of the first still writes is refused; the second's own writers are not.
    with pytest.raises(LeaseLost, match="held by the job second on"):
        chunk_writer(job.settings, Context(), settings.topics.model_blobs, "models")
    writer = chunk_writer(second, Context(), settings.topics.model_blobs, "models")
    writer.send(0, 1, b"key", b"chunk")
    assert writer.flush() == {0: (1, 0)}


def test_what_a_fenced_writer_had_sent_is_never_committed(settings: Settings) -> None:
    stream_environment(settings, "first")  # its jar fences
    first = take_stages(settings, "first", STAGES)

    writer = chunk_writer(first, Context(), settings.topics.model_blobs, "models")
    writer.send(0, 0, b"key", b"live")
    assert writer.flush() == {0: (0, 0)}
    writer.send(0, 0, b"key", b"late")
    take_stages(settings, "second", STAGES, take_over=True)
    writer.send(1, 0, b"key", b"later")
    with pytest.raises((KafkaException, TimeoutError)):
        writer.flush()
    assert [record.value for record in read_to_end(settings.brokers, settings.topics.model_blobs)] == [b"live"]


def test_of_two_inference_jobs_one_answers(settings: Settings) -> None:
    """What the first still writes once the second has the stage is never seen; it learns of it with the next
    checkpoint."""
    stream_environment(settings, "first")  # its jar fences
    topic = settings.topics.results

    def results_writer(held: Settings) -> ResultsWriter:
        return ResultsWriter(leased_producer(held, "results-0", CONFIG, timeout_s=20.0), topic, 20.0)

    first = take_stages(settings, "first", ["inference"])
    answers = results_writer(first)
    answers.write([(0, b"first"), (1, b"first")])
    answers.settle()
    with pytest.raises(StagesHeld, match="the stage inference is held by the job first on"):
        take_stages(settings, "second", ["inference"])
    second = take_stages(settings, "second", ["inference"], take_over=True)
    answers.write([(0, b"late")])
    with pytest.raises(KafkaException):
        answers.settle()
    with pytest.raises(LeaseLost, match="held by the job second on"):
        results_writer(first)
    others = results_writer(second)
    others.write([(0, b"second")])
    others.settle()
    found = [(record.partition, record.value) for record in read_to_end(settings.brokers, topic, settle_seconds=20.0)]
    assert sorted(found) == [(0, b"first"), (0, b"second"), (1, b"first")]
    for writer in (answers, others):
        writer.close()


def test_a_prepared_transaction_that_is_lost_ends_the_job_before_anything_follows_it(settings: Settings) -> None:
    """Whoever has learnt the ids uses them, over and over, while records come in (finding V9)."""
    job = Copying(settings, "robbed")
    over = threading.Event()
    publish(settings, 10)
    wait_for(settings, 10)
    # This thread's gateway has our jar, those of others have not.
    ids = [known for known in BrokersTransactions(settings.brokers).ids(settings.topic_prefix) if "/sink" in known]

    def send() -> None:
        while not over.wait(0.2):
            publish(settings, 10)

    sending = threading.Thread(target=send)
    sending.start()
    ended = threading.Thread(target=lambda: endings.append(job.ending()))
    endings: list[tuple[Ending, str]] = []
    ended.start()
    deadline = time.monotonic() + 120.0
    while ended.is_alive() and time.monotonic() < deadline:
        for known in ids:
            Producer({**settings.brokers.librdkafka("robber"), "transactional.id": known}).init_transactions(20)
    over.set()
    sending.join()
    ended.join(10.0)
    assert [ending for ending, _ in endings] == [Ending.TRANSACTION_LOST]
    for offsets in copied(settings).values():
        assert offsets == list(range(len(offsets))), "a record is missing before one that is there"
    log = LeaseLog(settings.brokers, settings.topics, bytes.fromhex(settings.aggregator_key))
    assert [beat.heartbeat.state.value for beat in log.beats().values()] == ["TRANSACTION_LOST"]
    assert take_stages(settings, "robbed", STAGES).held().epoch == 2  # it says itself that it is gone


def test_a_job_whose_only_task_manager_has_ended_ends_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "TASK_MANAGER_WAIT", "1 s")
    job = Copying(settings, "alone", restart_attempts=2)
    publish(settings, 10)
    wait_for(settings, 10)
    job.end_the_task_manager()
    ending, sentence = job.ending()
    assert ending is Ending.TASK_MANAGER_LOST
    assert "submit the job again" in sentence


def test_a_job_whose_checkpoints_are_damaged_ends_after_its_restarts_and_has_its_turn_from_the_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State that is too large for a checkpoint's own record lies in files, and Flink knows no checkpoint but the newest
    one. It must not go on without state: the job's own start from the log is what loses nothing."""
    options, changes = (
        environment._options,
        {
            "execution.checkpointing.data-inline-threshold": "0b",
            "restart-strategy.exponential-delay.initial-backoff": "3s",
        },
    )
    monkeypatch.setattr(environment, "_options", lambda *of: {**options(*of), **changes})
    began_ns, folder = time.time_ns(), settings.checkpoint_dir / "damaged"
    publish(settings, 40)
    with damaging(folder):
        ending, sentence = Copying(settings, "damaged", restart_attempts=2, fail=True).ending()
    assert (ending, sentence) == (Ending.FAILED, "")
    found = copied(settings)
    assert sum(map(len, found.values())) < 40
    for offsets in found.values():
        assert offsets == list(range(len(offsets))), "a record came twice, or one before it is missing"
    again = Start().next(ending, 1, 10.0, had_checkpoint=running._has_checkpoint(folder, began_ns))
    assert again is not None
