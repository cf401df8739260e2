"""What a job's operators share in a process is there while one of them is open, and gone when none is."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from fluvial.wire.framing import encode
from fluvial.wire.records import ChunkReference
from fluvial.wire.scoring import ScoringSpec
from pipelines.aggregation import committed as aggregation
from pipelines.aggregation.messages import Begin
from pipelines.aggregation.operators.shards import Combine, Measure
from pipelines.aggregation.shards.sums import ExactSums
from pipelines.config import Settings
from pipelines.flink import chunk_writer, process_resources
from pipelines.flink.process_resources import ProcessResources
from pipelines.leases.holding import Holding
from pipelines.validation import process as validation
from pipelines.validation.candidate_scores import CandidateScores
from pipelines.validation.known import Known
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.pipelines.aggregation.builders import a_model_update, a_round
from tests.unit.pipelines.aggregation.operators.test_shards import Context
from tests.unit.pipelines.validation.stage import SETTINGS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return SETTINGS.model_copy(update={"submission": tmp_path.name, "partitions": 2})


class LeasedProducer:
    """Where there is a broker."""

    def __init__(self) -> None:
        self.is_purged = self.is_flushed = False

    def purge(self) -> None:
        self.is_purged = True

    def flush(self, timeout_s: float) -> None:
        """As the client does it for a producer that was fenced."""
        self.is_flushed = self.is_purged
        raise SystemError("an exception in a callback")


@pytest.fixture(autouse=True)
def producers(monkeypatch: pytest.MonkeyPatch) -> list[LeasedProducer]:
    made: list[LeasedProducer] = []

    def leased_producer(*_: object, **__: object) -> LeasedProducer:
        made.append(LeasedProducer())
        return made[-1]

    monkeypatch.setattr(chunk_writer, "leased_producer", leased_producer)
    monkeypatch.setattr(Context, "get_index_of_this_subtask", lambda _: 0, raising=False)
    return made


@pytest.fixture(autouse=True)
def _nothing_is_left(settings: Settings) -> Iterator[None]:
    yield
    assert not {settings.submission, "another"} & submissions()


def threads() -> set[int | None]:
    """But for the one that ends what operators leave."""
    return {thread.ident for thread in threading.enumerate() if thread.name != "endings"}


def begin_to_score(scores: CandidateScores) -> None:
    """Its thread begins, and finds that there is nothing to score with."""
    task_file: Any = SimpleNamespace(task="demo", scoring=ScoringSpec(canary="none.safetensors"))
    needs: Any = SimpleNamespace(source=SimpleNamespace(place=(0, 0)), update=a_model_update(), round=a_round())
    with (
        patch.object(scores, "_task_file", lambda task: task_file),
        patch.object(scores, "_make_scorer", side_effect=ValueError("no canary set")),
    ):
        scores.submit(needs)
        wait_until(lambda: scores.ready((0, 0)))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def submissions() -> set[str]:
    """Of the jobs that have something in this process."""
    return {attempt.submission for attempt in process_resources._processes._entries}


def test_a_part_is_made_once_and_closed_with_the_last_operator(settings: Settings) -> None:
    closed: list[ExactSums] = []
    users = [process_resources.acquire(settings) for _ in range(3)]
    parts = [one.part(ExactSums, lambda: ExactSums(1), closed.append) for one in users]
    assert len(set(map(id, parts))) == 1
    for _ in users:
        assert closed == []
        process_resources.release(settings)
    assert closed == parts[:1]


def test_what_was_made_last_ends_first() -> None:
    resources, ended = ProcessResources(SETTINGS), []
    for name in ("reader", "checks"):
        resources.part(str, lambda name=name: name, ended.append, name)  # type: ignore[misc]
    resources.close()
    assert ended == ["checks", "reader"]


def test_who_asks_while_a_part_is_made_waits_and_others_do_not() -> None:
    resources, made = ProcessResources(SETTINGS), threading.Event()

    def slow() -> str:
        assert made.wait(10)
        time.sleep(0.05)
        return "slow"

    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(resources.part, str, slow) for _ in range(2)]
        assert resources.part(int, lambda: 7) == 7
        made.set()
        assert [one.result(10) for one in waiting] == ["slow", "slow"]


def test_a_part_that_could_not_be_made_is_tried_again(settings: Settings) -> None:
    with patch.object(validation, "read_known", side_effect=TimeoutError), pytest.raises(TimeoutError):
        validation.acquire(settings)
    assert settings.submission not in submissions()


def test_two_jobs_in_a_process_share_neither_checks_nor_sums_nor_what_is_known(settings: Settings) -> None:
    other = settings.model_copy(update={"submission": "another"})
    with patch.object(validation, "read_known", lambda _: Known(trusted=TrustedRecords.of(SETTINGS))):
        one, two = validation.acquire(settings), validation.acquire(other)
        assert one is validation.acquire(settings)
        assert len({id(one.checks), id(two.checks)}) == len({id(one.checked), id(two.checked)}) == 2
        assert one.known is not two.known
        sums = [process_resources.acquire(each).part(ExactSums, lambda: ExactSums(1)) for each in (settings, other)]
        assert sums[0] is not sums[1]
    for each in (settings, settings, settings, other, other):
        process_resources.release(each)


def test_a_cancelled_job_leaves_no_thread_no_consumer_and_no_producer(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, producers: list[LeasedProducer]
) -> None:
    before = threads()
    monkeypatch.setattr(validation, "read_on", lambda *_: None)
    with patch.object(validation, "read_known", lambda _: Known(trusted=TrustedRecords.of(SETTINGS))):
        process = validation.acquire(settings)
    begin_to_score(process.scores)
    assert not process.catching_up.is_known(1 << 62)
    assert len(threads() - before) == 2
    operators = [Combine(settings), Measure(settings)]
    for operator in operators:
        operator.open(Context())
    resources = process_resources.acquire(settings)
    reader = resources.reader("f.update-blobs", "a test")
    assert reader is resources.reader("f.update-blobs", "a test")
    assert reader is not resources.reader("f.update-blobs", "another purpose")
    for operator in operators:
        operator.close()
    process_resources.release(settings)
    assert [producer.is_flushed for producer in producers] == [False]
    validation.release(settings)
    assert threads() <= before
    assert [producer.is_flushed for producer in producers] == [True]
    assert reader._is_closed


def test_sums_are_made_of_shards_whose_operator_has_begun_here(settings: Settings) -> None:
    context = Context()
    combine = Combine(settings)
    combine.open(context)
    resources = process_resources.acquire(settings)
    sums = resources.part(ExactSums, lambda: ExactSums(0))

    def announce() -> None:
        for index in range(2):
            resources.announcements.announce(a_round(), index, bytes(32), a_model_update(), bytes(16))

    announce()
    assert sums.num_bytes == 0
    list(combine.process_element(Begin(encode(a_round())).packed("shard-0-0"), context))
    announce()
    assert sums.num_bytes == 8 * 4
    combine.close()
    announce()
    assert sums.num_bytes == 8 * 4
    process_resources.release(settings)


@pytest.mark.usefixtures("only_what_is_new_is_collected")
def test_an_operator_that_is_never_closed_leaves_nothing_either(
    settings: Settings, producers: list[LeasedProducer]
) -> None:
    """As PyFlink does it with a job that is cancelled."""
    before = threads()
    for kind in (Combine, Measure):
        operator, context = kind(settings), Context()
        operator.open(context)
        list(operator.process_element(Begin(encode(a_round())).packed("shard-0-0"), context))
        del operator, context
    gc.collect()
    assert len(producers) == 1
    wait_until(lambda: settings.submission not in submissions() and all(producer.is_flushed for producer in producers))
    assert threads() <= before


def test_a_job_that_starts_again_has_nothing_of_its_former_attempt(settings: Settings) -> None:
    """Its operators were not closed; what they let go of later is none of the new attempt's."""
    closed: list[str] = []
    for attempt in range(3):
        resources = process_resources.acquire(settings, attempt)
        assert resources.part(str, lambda attempt=attempt: f"attempt {attempt}", closed.append) == f"attempt {attempt}"  # type: ignore[misc]
        assert len(closed) == attempt
    for attempt in (0, 1, 1):
        process_resources.release(settings, attempt)
    assert closed == ["attempt 0", "attempt 1"]
    process_resources.release(settings, 2)
    assert closed[2:] == ["attempt 2"]


def test_what_the_log_said_is_read_anew_when_a_job_starts_again(settings: Settings) -> None:
    """By attempt 1 while nothing of attempt 0 was released; the last word of attempt 0 changes nothing then."""
    with (
        patch.object(validation, "read_known", lambda _: Known(trusted=TrustedRecords.of(SETTINGS))),
        patch.object(aggregation, "read_recovery", lambda _: object()),
    ):
        processes = [validation.acquire(settings, attempt) for attempt in (0, 1)]
        processes.append(validation.acquire(settings, 1))
        recoveries = [aggregation.acquire(settings, attempt) for attempt in (1, 2)]
        recoveries.append(aggregation.acquire(settings, 2))
    assert processes[0].known is not processes[1].known
    assert processes[1] is processes[2]
    assert recoveries[0] is not recoveries[1]
    assert recoveries[1] is recoveries[2]
    for process in processes:
        with pytest.raises(RuntimeError, match="shutdown"):
            process.checks._threads.submit(print)
    validation.release(settings, 0)
    for _ in range(2):
        assert settings.submission in submissions()
        aggregation.release(settings, 2)


def test_a_submission_under_another_lease_is_another_job(settings: Settings) -> None:
    """The same file of settings submitted twice to a session."""
    leased = [
        settings.model_copy(update={"holding": Holding(epoch=epoch, offset=0, stages=("x",), secret="s" * 16)})
        for epoch in (1, 2)
    ]
    sums = [process_resources.acquire(each).part(ExactSums, lambda: ExactSums(1)) for each in leased]
    assert sums[0] is not sums[1]
    for each in leased:
        process_resources.release(each)


def test_a_part_that_does_not_end_in_order_keeps_no_other_from_its_end(settings: Settings) -> None:
    def fail(part: str) -> None:
        raise KeyError(part)

    resources, ended = process_resources.acquire(settings), []
    resources.part(str, lambda: "a", ended.append, "a")
    resources.part(str, lambda: "b", fail, "b")
    process_resources.release(settings)
    assert ended == ["a"]


def test_a_reader_that_is_closed_begins_no_consumer(settings: Settings) -> None:
    resources = process_resources.acquire(settings)
    reader = resources.reader("f.update-blobs", "a test")
    process_resources.release(settings)
    with patch.object(reader, "_count"), pytest.raises(TimeoutError, match="the job has ended"):
        reader.chunk(ChunkReference(partition=0, offset=0, length=1, sha256=b""))
    assert reader._readers == {}
