"""Records pass through the Java adapters and Python, exactly once, although the job fails in between."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer
from pyflink.java_gateway import get_gateway

from pipelines.config import Settings
from pipelines.flink.environment import stream_environment
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.log_reader import read_to_end
from pipelines.flink.stage_mac import HEADER, StageMac
from pipelines.flink.taking import take_stages
from tests.engine.copying import CopyBundlesWithOneFailure, CopyWithOneFailure, varied_headers
from tests.engine.damaging import damaging

pytestmark = [pytest.mark.engine, pytest.mark.system, pytest.mark.timeout(180)]

RECORDS = 80


def publish(settings: Settings) -> dict[tuple[int, int], tuple[bytes | None, bytes | None, int]]:
    """Records with and without key; every tenth a tombstone. Returns (key, value, broker time) by position."""
    published = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        place = message.partition(), message.offset()
        published[place] = message.key(), message.value(), message.timestamp()[1]

    producer = Producer({**settings.brokers.librdkafka(), "partitioner": "murmur2_random"})
    for number in range(RECORDS):
        key = f"k{number}".encode() if number % 3 else None
        value = bytes([number]) * (number + 1) if number % 10 else None
        producer.produce(settings.topics.updates, value, key, partition=number % 2, on_delivery=delivered)
    assert producer.flush(20) == 0
    return published


def read(settings: Settings, topics: list[str], count: int) -> list[Message]:
    """At least `count` committed records, and whatever follows within two seconds."""
    consumer = Consumer(
        {
            **settings.brokers.librdkafka(),
            "group.id": "reader",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(topics)
    messages: list[Message] = []
    try:
        while (message := consumer.poll(60.0 if len(messages) < count else 2.0)) is not None:
            assert message.error() is None
            messages.append(message)
    finally:
        consumer.close()
    return messages


def test_records_pass_exactly_once_through_a_failure_also_where_no_checkpoints_file_is_whole(
    settings: Settings,
) -> None:
    """What lies in a checkpoint's own record, as small state does, a restart has from the JobManager's memory."""
    published = publish(settings)
    settings = settings.model_copy(update={"restart_attempts": 3})
    environment = stream_environment(settings, "copy")
    settings = take_stages(settings, "copy", ["validation"])
    graph = Graph(environment, settings, "copy", ["validation"])
    topics = settings.topics
    copied = graph.source("updates").process(CopyWithOneFailure(topics.verdicts, topics.quarantine), BYTES)
    graph.emit(copied)
    graph.finish()
    with damaging(settings.checkpoint_dir / "copy"):
        client = environment.execute_async("copy")
        try:
            messages = read(settings, [topics.verdicts, topics.quarantine], RECORDS)
        finally:
            client.cancel().result()

    copies = {}
    for message in messages:
        headers = {name: int(value) for name, value in message.headers() if name != HEADER}
        place = headers["partition"], headers["offset"]
        assert place not in copies, "a record came twice"
        assert message.topic() == (topics.verdicts if message.value() else topics.quarantine)
        copies[place] = message.key(), message.value(), headers["timestamp_ms"]
    assert copies == published


def test_bundles_pass_exactly_once_and_in_order(settings: Settings, tmp_path: Path) -> None:
    published = publish(settings)
    settings = settings.model_copy(update={"restart_attempts": 3, "parallelism": 2})
    environment = stream_environment(settings, "bundles")
    settings = take_stages(settings, "bundles", ["validation"])
    graph = Graph(environment, settings, "bundles", ["validation"])
    copy = CopyBundlesWithOneFailure(settings.topics.verdicts, tmp_path / "failed")
    graph.emit(graph.bundled_source("updates").process(copy, BYTES))
    graph.finish()
    client = environment.execute_async("bundles")
    try:
        messages = read(settings, [settings.topics.verdicts], RECORDS)
    finally:
        client.cancel().result()

    assert (tmp_path / "failed").exists()
    places: dict[tuple[int, int], int] = {}
    lanes: dict[bytes | None, set[bytes]] = {}
    numbers: dict[bytes, list[int]] = {}
    for message in messages:
        headers = dict(message.headers()[:4])
        place = int(headers["partition"]), int(headers["offset"])
        assert [header for header in message.headers()[4:] if header[0] != HEADER] == varied_headers(place[1])
        assert place not in places, "a record came twice"
        places[place] = int(headers["number"])
        lanes.setdefault(message.key(), set()).add(headers["lane"])
        numbers.setdefault(headers["lane"], []).append(places[place])
        assert (message.key(), message.value() or None) == published[place][:2]
    assert places.keys() == published.keys()
    assert all(len(found) == 1 for found in lanes.values()), "records with the same key are on different lanes"
    assert all(sorted(found) == list(range(len(found))) for found in numbers.values())
    mac = StageMac.load(settings.keys_dir)
    assert all(
        mac.proves(settings.topics.verdicts, one) for one in read_to_end(settings.brokers, settings.topics.verdicts)
    )
    without_key = [place for place in sorted(places) if published[place][0] is None]
    assert len(lanes) > 10
    for partition in {0, 1}:
        in_log = [places[place] for place in without_key if place[0] == partition]
        assert in_log == sorted(in_log), "records of one key and partition changed places"


def test_stages_prove_to_one_another_what_they_write(settings: Settings) -> None:
    """Python's proof passes Java's source, and Java's proof is what Python makes of the record; others pass neither."""
    topics, mac = settings.topics, StageMac.load(settings.keys_dir)
    producer = Producer({"bootstrap.servers": settings.brokers.bootstrap_servers})
    forged = StageMac(bytes(32)).header(topics.events, b"k", b"forged")
    copied = mac.header(topics.accepted, b"k", b"copied")
    for key, value, headers in [
        (b"k", b"junk", []),
        (b"k", b"forged", [forged]),
        (b"k", b"copied", [copied]),
        (b"k", b"", [(HEADER, None)]),
    ]:
        producer.produce(topics.events, value, key, headers=headers)
    genuine: list[tuple[bytes | None, bytes]] = [(b"k", b"one"), (None, b"two"), (b"", b"")]
    for key, value in genuine:
        others = [("traceparent", b"00"), ("fluvial-source", b"\x00\x01")]
        proof = mac.header(topics.events, key, value, others)
        producer.produce(topics.events, value, key, headers=[*others, proof])
    assert producer.flush(20) == 0
    environment = stream_environment(settings, "proof")
    settings = take_stages(settings, "proof", ["validation"])
    graph = Graph(environment, settings, "proof", ["validation"])
    graph.emit(graph.source("events").process(CopyWithOneFailure(topics.verdicts, topics.accepted), BYTES))
    graph.finish()
    client = environment.execute_async("proof")
    try:
        messages = read(settings, [topics.verdicts, topics.accepted], len(genuine))
    finally:
        client.cancel().result()
    assert sorted((message.key() or b"", message.value() or b"") for message in messages) == sorted(
        (key or b"", value) for key, value in genuine
    )
    for topic in (topics.verdicts, topics.accepted):
        for record in read_to_end(settings.brokers, topic):
            assert mac.proves(topic, record)
            assert not StageMac(bytes(32)).proves(topic, record)


def test_what_there_is_to_commit_waits_for_no_interval(settings: Settings) -> None:
    """Checkpoints by the clock would come each ten minutes here: the first record of a quiet time asks for one."""
    settings = settings.model_copy(update={"checkpoint_interval_ms": 600_000})
    environment = stream_environment(settings, "demand")
    settings = take_stages(settings, "demand", ["validation"])
    graph = Graph(environment, settings, "demand", ["validation"])
    topics = settings.topics
    graph.emit(
        graph.source("updates").process(CopyWithOneFailure(topics.verdicts, topics.quarantine, fail=False), BYTES)
    )
    graph.finish()
    producer = Producer(settings.brokers.librdkafka())
    client = environment.execute_async("demand")
    try:
        for number in range(2):  # a checkpoint covers the first before the second is there
            producer.produce(topics.updates, bytes([number]), b"k")
            assert producer.flush(20) == 0
            assert len(read(settings, [topics.verdicts], number + 1)) == number + 1
    finally:
        client.cancel().result()


def test_checkpoints_that_are_asked_for_keep_their_interval_in_the_long_run(settings: Settings) -> None:
    stream_environment(settings, "pace")  # starts Java
    pace = get_gateway().jvm.org.fluvial.flink.CheckpointPace(300)
    soon = pace.delay(0, False)
    now, begun = 0, []
    while now < 30_000:  # somebody always asks, and a checkpoint takes 20 ms
        now += pace.delay(now, False)
        pace.began(now)
        begun.append(now)
        now += 20
    assert soon == begun[0] < 50
    assert begun[3] < 300, "what follows upon a record waits for no interval"
    assert len(begun) == pytest.approx(30_000 / 300, abs=5)
    assert max(later - earlier for earlier, later in pairwise(begun)) <= 300 + soon
    assert pace.delay(now + 60_000, False) == soon


def test_a_checkpoint_that_everybody_waits_for_does_not_wait_for_those_of_verdicts(settings: Settings) -> None:
    stream_environment(settings, "urgent")  # starts Java
    pace = get_gateway().jvm.org.fluvial.flink.CheckpointPace(300)
    now, waited = 0, []
    for _ in range(20):  # rounds of 0.7 s; verdicts have had what an interval gives when the model is there
        for _ in range(3):
            now += pace.delay(now, False)
            pace.began(now)
        now += 40
        waited.append(pace.delay(now, True))
        assert pace.delay(now, False) > 200 or len(waited) == 1
        now += waited[-1]
        pace.began(now)
    assert max(waited) < 50
    for _ in range(1_000):  # however many ask for it
        now += pace.delay(now, True)
        pace.began(now)
    assert pace.delay(now, True) <= 100
    assert pace.delay(now, False) <= 300, "what is not urgent waits for an interval, not for all that was"


def test_checkpoints_that_fail_are_tried_again_ever_more_slowly_within_bounds(settings: Settings) -> None:
    stream_environment(settings, "pace")  # starts Java
    pace = get_gateway().jvm.org.fluvial.flink.CheckpointPace(300)
    refused = [pace.failed(True) for _ in range(40)]
    assert (refused[0], max(refused)) == (50, 200), "whoever started the job waits for the first that is not refused"
    pace.began(0)
    waits = [pace.failed(False) for _ in range(40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (50, 3200)
    assert sum(waits[:10]) > 10_000, "Flink restarts the job after the eleventh"
    pace.began(1)
    assert pace.failed(False) == 50


def test_a_job_begins_where_it_is_told(settings: Settings) -> None:
    published = publish(settings)
    settings = settings.model_copy(update={"restart_attempts": 3})
    environment = stream_environment(settings, "begin")
    settings = take_stages(settings, "begin", ["validation"])
    graph = Graph(environment, settings, "begin", ["validation"])
    start = {0: 30}
    source = graph.source("updates", start)
    assert graph.source("updates", start) is source
    with pytest.raises(ValueError, match="different places"):
        graph.source("updates")
    graph.emit(source.process(CopyWithOneFailure(settings.topics.verdicts, settings.topics.quarantine), BYTES))
    graph.finish()
    expected = {place for place in published if place[0] != 0 or place[1] >= 30}
    client = environment.execute_async("begin")
    try:
        messages = read(settings, [settings.topics.verdicts, settings.topics.quarantine], len(expected))
    finally:
        client.cancel().result()
    named = [dict(message.headers()) for message in messages]
    assert {(int(headers["partition"]), int(headers["offset"])) for headers in named} == expected
