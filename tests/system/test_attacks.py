"""One federation under attack: by somebody who may write to every topic, while its jobs and its broker are killed; by
a take-over that dies half done; by a disk that is full; by retention that takes what nobody has judged."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.broker.lost_records import advance, look
from deploy.broker.topics import create_topics, topic_exists
from deploy.jobs import job_process
from deploy.jobs.holders import lease_log
from deploy.jobs.submission import LocalJob, Submission
from deploy.machine.errors import StackError
from deploy.machine.jars import CHECKOUT
from deploy.machine.processes import spawn
from fluvial.admission.over_rate import offsets_of
from fluvial.transparency.event import read_event
from fluvial.wire.errors import DecodeError, FluvialError
from fluvial.wire.framing import decode, decode_either
from fluvial.wire.records import InputGap, OverRate, SequencedEvent, Verdict
from fluvial.wire.topics import NAMES
from pipelines.flink import log_reader
from pipelines.leases.holding import user_of
from pipelines.replay import KafkaLog, replay
from tests.system.small_federation import MEAN, NUM_PARTICIPANTS, STAGES, SmallFederation

pytestmark = [pytest.mark.system, pytest.mark.soak, pytest.mark.timeout(900)]

T = TypeVar("T")
HALF = NUM_PARTICIPANTS // 2
COPIES = 100
LARGEST = (1 << 20) - 1024
ONGOING = 1
"""A transaction that is neither committed nor aborted, in the coordinator's records (Kafka's TransactionState)."""


class Attacker:
    """Writes what no stage wrote. Seeded: the same attack each time."""

    def __init__(self, small: SmallFederation) -> None:
        self._brokers, self._topics = small.federation.brokers, small.federation.topics
        self._random = random.Random(7)
        settings = {"message.max.bytes": 4 << 20, "enable.idempotence": True}
        self._producer = Producer({**self._brokers.librdkafka("attacker"), **settings})

    def everywhere(self) -> None:
        """In each topic: junk, a record of almost a mebibyte, tombstones of every key, copies of every record with its
        headers, on any partition, and the markers of aborted and committed transactions."""
        for name in NAMES:
            topic = getattr(self._topics, name)
            known = list(log_reader.read_to_end(self._brokers, topic))
            partitions = len(log_reader.bounds(self._brokers, topic))
            self._junk(topic, partitions)
            for record in known[-200:]:
                partition = self._random.randrange(partitions)
                headers = list(record.headers or ())
                self._send(topic, record.value, key=record.key, headers=headers, partition=partition)
                self._send(topic, record.value, key=record.key, headers=headers, partition=record.partition)
            for key in {record.key for record in known if record.key is not None}:
                if name != "leases":
                    self._send(topic, None, key=key, partition=self._random.randrange(partitions))
            self._producer.flush(30)
            self._transactions(topic)

    def copies(self, raw: bytes, names: list[str], count: int) -> None:
        """The same record, under several keys and on every partition."""
        partitions = len(log_reader.bounds(self._brokers, self._topics.updates))
        for number in range(count):
            self._send(
                self._topics.updates, raw, key=names[number % len(names)].encode(), partition=number % partitions
            )
        self._producer.flush(30)

    def _junk(self, topic: str, partitions: int) -> None:
        for size in (0, 1, 24, 300, 5_000):
            self._send(topic, self._random.randbytes(size), key=self._random.randbytes(5), partition=size % partitions)
        self._send(topic, bytes(LARGEST), key=b"large", partition=0)

    def _transactions(self, topic: str) -> None:
        producer = Producer({**self._brokers.librdkafka("attacker"), "transactional.id": f"attacker-{topic}"})
        producer.init_transactions(30)
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            producer.produce(topic, b"in a transaction", key=b"attacker", partition=0)
            producer.flush(30)
            end(30)

    def _send(self, topic: str, value: bytes | None, **place: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, value, **place)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)


def verdicts_by_input(small: SmallFederation) -> dict[tuple[int, int], set[Verdict]]:
    """For every record of topic updates its different verdicts: copies of one are that one."""
    topics = small.federation.topics
    found: dict[tuple[int, int], set[Verdict]] = {
        (message.partition, message.offset): set() for message in small.read(topics.updates)
    }
    for message in small.read(topics.verdicts):
        try:
            verdict = decode(message.value or b"", Verdict)
        except DecodeError:
            continue
        if verdict.source_topic == topics.updates:
            found[verdict.source_partition, verdict.source_offset].add(verdict)
    return found


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallFederation]:
    directory: Path = tmp_path_factory.mktemp("attacks")
    with SmallFederation(directory, forged=True) as small:
        small.job.start()
        small.job.wait_until_running()
        yield small


def test_whatever_is_written_to_any_topic_each_record_has_one_verdict_and_rounds_go_on(
    federation: SmallFederation,
) -> None:
    attacker = Attacker(federation)
    federation.create_task("besieged", MEAN, rounds=3)
    round_ = federation.wait_for_round("besieged", 1)
    numbers = range(HALF)
    federation.wait_for_verdicts(numbers, federation.publish(round_, numbers))
    names = list(federation.keys)
    updates = [message.value for message in federation.read(federation.federation.topics.updates)]
    attacker.copies(updates[0], names, COPIES)
    attacker.everywhere()
    federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
    federation.wait_for_version("besieged", 1)

    round_ = federation.wait_for_round("besieged", 2)
    federation.publish(round_, numbers)
    attacker.copies(updates[1], names, COPIES)
    federation.lose_jobs_and_checkpoints()
    attacker.copies(updates[1], names, COPIES)
    attacker.everywhere()
    federation.submit([("validation", "audit"), ("aggregation",)], "after-attack", 2)
    federation.stack.broker.kill()  # in the middle of reading the log
    federation.stack.broker.start()
    federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
    federation.wait_for_version("besieged", 2)

    federation.publish(federation.wait_for_round("besieged", 3), range(NUM_PARTICIPANTS))
    federation.wait_for_version("besieged", 3)
    verdicts = verdicts_by_input(federation)
    assert {len(found) for found in verdicts.values()} == {1}, Counter(map(len, verdicts.values()))
    for version in (1, 2, 3):
        found = replay(KafkaLog(federation.transport, federation.federation), "besieged", version)
        assert found.differs == ()
    report = federation.audit()
    assert report.problems == ()
    assert report.verified


def send_junk(small: SmallFederation, partition: int) -> None:
    """A record of topic updates that the gate refuses."""
    producer = Producer(small.federation.brokers.librdkafka("stranger"))
    producer.produce(small.federation.topics.updates, b"junk", b"stranger", partition=partition)
    assert producer.flush(30) == 0


def ends_of_updates(small: SmallFederation) -> dict[int, int]:
    held = log_reader.bounds(small.federation.brokers, small.federation.topics.updates)
    return {partition: bounds.end for partition, bounds in held.items()}


def num_verdicts(small: SmallFederation, since: dict[int, int]) -> Counter[tuple[int, int]]:
    """How many verdicts each record of topic updates has, of those from these offsets on that are there."""
    brokers, topics = small.federation.brokers, small.federation.topics
    found = Counter(
        {
            (record.partition, record.offset): 0
            for record in log_reader.read_to_end(brokers, topics.updates, start=since)
        }
    )
    for record in log_reader.read_to_end(brokers, topics.verdicts):
        try:
            verdict = decode_either(record.value, Verdict, OverRate)
        except DecodeError:
            continue
        if isinstance(verdict, OverRate):
            ranges = offsets_of(verdict)
        else:
            ranges = [range(verdict.source_offset, verdict.source_offset + 1)]
        places = [(verdict.source_partition, offset) for offsets in ranges for offset in offsets]
        found.update(place for place in places if verdict.source_topic == topics.updates and place in found)
    return found


def wait_for_all_verdicts(small: SmallFederation, since: dict[int, int]) -> None:
    small.wait_until(lambda: 0 not in num_verdicts(small, since).values(), "a verdict of each record")


def check_books(small: SmallFederation, since: dict[int, int], task: str, num_rounds: int) -> None:
    """One verdict for each record that came from there on and is there still; models that can be computed again."""
    wait_for_all_verdicts(small, since)
    assert set(num_verdicts(small, since).values()) == {1}
    for version in range(1, num_rounds + 1):
        assert replay(KafkaLog(small.transport, small.federation), task, version).differs == ()
    report = small.audit()
    assert report.problems == ()
    assert report.verified


def run_alone(small: SmallFederation, name: str, **settings: Any) -> LocalJob:
    """All stages in one job, in place of those that run."""
    small.stop()
    submitted = Submission(stages=STAGES, name=name, parallelism=2, settings=settings)
    small.job = LocalJob(small.stack.directory, submitted)
    small.job.start()
    small.job.wait_until_running()
    return small.job


def processes_of(job: LocalJob) -> list[psutil.Process]:
    parent = psutil.Process(job.pid)
    return [parent, *parent.children(recursive=True)]


def suspend_with_verdicts_under_way(small: SmallFederation) -> list[psutil.Process]:
    """Stop the job where it has written verdicts and not committed them; its processes."""
    processes = processes_of(small.job)

    def is_stopped() -> bool:
        send_junk(small, 1)
        for process in processes:
            process.suspend()
        if verdicts_are_under_way(small):
            return True
        for process in processes:
            process.resume()
        return False

    small.wait_until(is_stopped, "verdicts that are written and not committed")
    return processes


def verdicts_are_under_way(small: SmallFederation) -> bool:
    held = log_reader.bounds(small.federation.brokers, small.federation.topics.verdicts)
    return any(bounds.written > bounds.end for bounds in held.values())


def open_transactions(small: SmallFederation, epoch: int) -> list[str]:
    """Transactional ids of the holder of this lease under which something is open. The coordinator's records are keyed
    by version and id, a length before its bytes; the state is the byte behind version, producer, epoch and timeout."""
    states = {
        (record.key or b"")[4:].decode(): record.value[16]
        for record in log_reader.read_to_end(small.federation.brokers, "__transaction_state")
        if record.value
    }
    users = {known: user_of(known, small.federation.topic_prefix) for known in states}
    return [known for known, user in users.items() if user and user.epoch == epoch and states[known] == ONGOING]


def die_taking_over(
    small: SmallFederation, monkeypatch: pytest.MonkeyPatch, stages: Sequence[str], name: str, spared: str
) -> None:
    """See `tests.system.dying_successor`."""

    def spawn_dying(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        assert list(command[1:3]) == ["-m", "pipelines.main"]
        return spawn([command[0], "-m", "tests.system.dying_successor", spared, *command[3:]], **options)

    submitted = Submission(stages=tuple(stages), name=name, take_over=True)
    job = LocalJob(small.stack.directory, submitted)
    with monkeypatch.context() as patched:
        patched.setattr(job_process, "spawn", spawn_dying)
        job.start()
    try:
        small.wait_until(lambda: job.pid is None, "its death")
        assert job.wait() == -signal.SIGKILL, job.log.read_text()
    finally:
        job.stop()


def test_who_dies_amid_fencing_leaves_it_to_the_next(
    federation: SmallFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is stopped with verdicts under way. Who takes one of its stages dies behind its lease; who takes all of
    them dies when nothing is left to be fenced but what is open. The next asks nobody, and ends it: when the first goes
    on, nothing of it becomes visible."""
    former = run_alone(federation, "former", checkpoint_interval_ms=3_000)
    log, since = lease_log(federation.federation), ends_of_updates(federation)
    epoch = log.read().epoch
    federation.create_task("orphaned", MEAN)
    round_ = federation.wait_for_round("orphaned", 1)
    federation.wait_for_verdicts(range(HALF), federation.publish(round_, range(HALF)))
    processes = suspend_with_verdicts_under_way(federation)
    try:
        spared = open_transactions(federation, epoch)
        assert spared
        die_taking_over(federation, monkeypatch, ["audit"], "dies-early", "all")
        assert log.read().unfenced_epochs(epoch + 1) >= {epoch}
        die_taking_over(federation, monkeypatch, STAGES, "dies-late", ",".join(spared))
        assert log.read().unfenced_epochs(epoch + 2) >= {epoch, epoch + 1}
        if open_transactions(federation, epoch) != spared:
            pytest.skip("their timeout ended the transactions before the heir came: the machine is too slow to tell")
        assert verdicts_are_under_way(federation)

        federation.submit([STAGES], "heir", 1)
        federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
        federation.wait_for_version("orphaned", 1)
        assert open_transactions(federation, epoch) == [], "the first can still commit"
        assert log.read().unfenced_epochs(epoch + 3) == set()
    finally:
        for process in processes:
            process.resume()
    assert former.wait() != 0
    former.stop()
    assert "held by the job" in former.log.read_text()
    federation.publish(federation.wait_for_round("orphaned", 2), range(NUM_PARTICIPANTS))
    federation.wait_for_version("orphaned", 2)
    check_books(federation, since, "orphaned", 2)


@contextmanager
def full_disk(job: LocalJob) -> Iterator[None]:
    """The job's processes can make files and write nothing into them."""
    limits = {process: process.rlimit(psutil.RLIMIT_FSIZE) for process in processes_of(job)}
    for process, (_, hard) in limits.items():
        process.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for process, limit in limits.items():
            if process.is_running():
                process.rlimit(psutil.RLIMIT_FSIZE, limit)


def stalled(small: SmallFederation) -> list[dict[str, Any]]:
    """What `fluvial status` says of jobs without checkpoints, itself on the full disk."""
    command = [sys.executable, "-c", "from fluvial.cli.main import run; run()", "status", "--json"]
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command, "--data-dir", str(small.stack.directory.root)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)["stalled"]
    return found


def test_a_full_disk_is_told_of_and_costs_nothing_but_time(federation: SmallFederation) -> None:
    """In the middle of a round no checkpoint can be written any more, and then it can."""
    job, since = run_alone(federation, "cramped"), ends_of_updates(federation)
    federation.create_task("cramped", MEAN)
    round_ = federation.wait_for_round("cramped", 1)
    federation.wait_for_verdicts(range(HALF), federation.publish(round_, range(HALF)))
    assert stalled(federation) == []
    with full_disk(job):
        federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
        told = until_something(federation, lambda: stalled(federation), "word of it in `fluvial status`")
        folder = federation.stack.directory.checkpoints / "cramped"
        assert [(stall["job"], stall["reason"]) for stall in told] == [("cramped", f"File too large: {folder}")]
        assert len(federation.manifests("cramped")) == 1, "what no checkpoint covers is visible"
    federation.wait_for_version("cramped", 1)
    federation.publish(federation.wait_for_round("cramped", 2), range(NUM_PARTICIPANTS))
    federation.wait_for_version("cramped", 2)
    assert stalled(federation) == []
    check_books(federation, since, "cramped", 2)


def until_something(small: SmallFederation, found: Callable[[], list[T]], what: str) -> list[T]:
    """What is found when it is something."""
    newest: list[T] = []

    def is_there() -> bool:
        newest[:] = found()
        return bool(newest)

    small.wait_until(is_there, what)
    return newest


def gaps(small: SmallFederation, partition: int) -> list[InputGap]:
    """The leaves that tell of a gap in this partition of topic updates."""
    told = []
    for record in log_reader.read_to_end(small.federation.brokers, small.federation.topics.audit):
        try:
            found = read_event(decode(record.value, SequencedEvent).event)
        except (FluvialError, ValueError):
            continue
        if isinstance(found, InputGap) and found.partition == partition:
            told.append(found)
    return told


def test_what_retention_took_before_it_was_judged_has_a_leaf_and_everything_else_goes_on(
    federation: SmallFederation,
) -> None:
    federation.stop()
    since = ends_of_updates(federation)
    federation.submit([("aggregation", "audit"), ("validation",)], "robbed", 2)
    federation.create_task("entire", MEAN, rounds=1)
    federation.publish(federation.wait_for_round("entire", 1), range(NUM_PARTICIPANTS))
    federation.wait_for_version("entire", 1)
    wait_for_all_verdicts(federation, since)

    brokers, topic = federation.federation.brokers, federation.federation.topics.updates
    sent = {r.key: r.partition for r in log_reader.read_to_end(brokers, topic, start=since)}
    by_partition = Counter(sent.values())
    partition = min(by_partition, key=lambda number: (number == 0, by_partition[number]))
    lost = [n for n, name in enumerate(federation.keys) if sent[name.encode()] == partition]
    others = [n for n in range(NUM_PARTICIPANTS) if n not in lost]
    federation.create_task("robbed", MEAN, quorum=len(others), target=len(others))
    round_ = federation.wait_for_round("robbed", 1)

    validation = federation.others.pop()
    validation.kill()
    first = ends_of_updates(federation)[partition]
    federation.publish(round_, lost)
    send_junk(federation, partition)
    end = ends_of_updates(federation)[partition]
    assert end == first + len(lost) + 1
    send_junk(federation, partition)  # it stays, and has its verdict
    place, admin = TopicPartition(topic, partition, end), AdminClient(brokers.librdkafka())
    admin.delete_records([place])[place].result(30)
    federation.publish(round_, others)
    validation.start()
    federation.others.append(validation)

    expected = [InputGap(topic=topic, partition=partition, first=first, end=end)]
    assert until_something(federation, lambda: gaps(federation, partition), "a leaf of the gap") == expected
    federation.wait_for_version("robbed", 1)
    kept = {**since, partition: end}
    wait_for_all_verdicts(federation, kept)

    validation.kill()  # the next start finds the same gap, and it has its leaf
    validation.start()
    federation.publish(federation.wait_for_round("robbed", 2), range(NUM_PARTICIPANTS))
    federation.wait_for_version("robbed", 2)
    check_books(federation, kept, "robbed", 2)
    assert gaps(federation, partition) == expected


def test_a_topic_that_was_made_again_ends_a_start_until_its_offsets_are_given_up(federation: SmallFederation) -> None:
    run_alone(federation, "whole")
    federation.create_task("lost", MEAN)
    federation.publish(federation.wait_for_round("lost", 1), range(NUM_PARTICIPANTS))
    federation.wait_for_version("lost", 1)
    federation.stop()

    brokers, topics = federation.federation.brokers, federation.federation.topics
    ends = ends_of_updates(federation)
    admin = AdminClient(brokers.librdkafka())
    admin.delete_topics([topics.updates])[topics.updates].result(30)
    federation.wait_until(lambda: not topic_exists(brokers, topics.updates), "the topic's end")
    create_topics(brokers, [one for one in topics.all_settings(len(ends)) if one.name == topics.updates])
    with pytest.raises(StackError, match=rf"fluvial topics advance {topics.updates} \d \d+"):
        run_alone(federation, "mistaken")
    for partition, end in ends.items():
        if end:
            advance(brokers, look(brokers, topics.updates, partition, end))
    run_alone(federation, "advanced")
    federation.publish(federation.wait_for_round("lost", 2), range(NUM_PARTICIPANTS))
    federation.wait_for_version("lost", 2)
    wait_for_all_verdicts(federation, ends)
    assert set(num_verdicts(federation, ends).values()) == {1}
    report = federation.audit()
    assert report.problems == ()
    assert report.verified
