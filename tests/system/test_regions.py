"""Two regions below a parent: the model has the bits of one federation with all their participants.

Two federations on one broker, each with its own prefix, keys and job: the parent, and one that hosts both regions'
tasks. Participants, regions and the parent's operator use what anybody would use.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from deploy.acts.tasks import create_task
from deploy.bench.seeding import register
from deploy.broker.process import Broker
from deploy.broker.topics import create_topics
from deploy.federation.directory import DataDirectory
from deploy.federation.keys import ServiceKeys
from deploy.jobs.submission import LocalJob, Submission
from fluvial import encoding
from fluvial.auditor.reader import audited_topics
from fluvial.auditor.verify import verify
from fluvial.edge import Participant
from fluvial.edge.events import Published
from fluvial.edge.manifests import read_manifests
from fluvial.edge.models import load_model
from fluvial.edge.region.events import Event, Summed
from fluvial.edge.region.region import Region
from fluvial.encoding import Span
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Transport, connect, snapshot
from fluvial.wire.records import ModelManifest, Round
from fluvial.wire.task_file import TaskFile
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, finish
from pipelines.aggregation.rounds import terms
from pipelines.replay import KafkaLog, replay
from tests.system.invariants import assert_invariants

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PARTITIONS, NUM_ROUNDS = 2, 2
REGIONS = {"west": ("ann", "bob"), "east": ("cyd", "dan")}
LEAVES = [name for names in REGIONS.values() for name in names]
ENCODINGS = {"ann": "float32", "bob": "int8", "cyd": "int4", "dan": "bfloat16"}
COMMON: dict[str, Any] = {
    "title": "A thousand parameters",
    "model": {"architecture": "logistic_regression", "parameters": {"inputs": 99, "classes": 10}, "seed": 3},
    "quorum": 2,
    "target": 2,
    "chunk_elements": 300,
}
PARENT = TaskFile.model_validate(
    {
        **COMMON,
        "task": "world",
        "rounds": NUM_ROUNDS,
        "deadline_seconds": 150,
        "limits": {"max_abs": 100.0, "max_weight": 200},
        "encodings": ["float32", "partial_sum"],
    }
)


def region_file(region: str) -> TaskFile:
    limits = {"max_abs": 100.0, "max_weight": 100, "fraction_bits": terms.fraction_bits(PARENT)}
    fields = {"task": region, "rounds": 0, "deadline_seconds": 100, "partial": True, "encodings": [*ENCODINGS.values()]}
    return TaskFile.model_validate({**COMMON, **fields, "limits": limits})


class Side:
    """One federation: topics under a prefix, keys, enrolled participants, and its job."""

    def __init__(self, name: str, broker: Broker, root: Path, participants: list[str]) -> None:
        directory = DataDirectory(root / name)
        self.keys = ServiceKeys.load_or_make(directory.keys)
        self.federation: Federation = self.keys.federation(
            broker.brokers, topic_prefix=f"{name}.", partitions=PARTITIONS
        )
        create_topics(broker.brokers, self.federation.topics.all_settings(PARTITIONS))
        self.transport: Transport = connect(self.federation.brokers, f"regions-{name}")
        self.participants = {participant: SigningKey.generate() for participant in participants}
        register(self.transport, self.federation.topics, self.keys, self.participants)
        submission = Submission(stages=("validation", "aggregation", "audit"), name=name)
        self.job = LocalJob(directory, submission, self.federation)

    def manifests(self, task: str) -> list[ModelManifest]:
        return [each for each in read_manifests(self.transport, self.federation) if each.task == task]

    def close(self) -> None:
        self.job.stop()
        self.transport.close()


@pytest.fixture
def sides(broker: Broker, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with ExitStack() as ends:
        above = Side("above", broker, tmp_path, list(REGIONS))
        ends.callback(above.close)
        below = Side("below", broker, tmp_path, LEAVES)
        ends.callback(below.close)
        for side in (above, below):
            side.job.start()
        for side in (above, below):
            side.job.wait_until_running()
        yield above, below


def delta_of(name: str, number: int, size: int) -> npt.NDArray[np.float32]:
    """A participant's delta in a round: by formula, so that the flat federation can be computed from the same."""
    generator = np.random.default_rng([LEAVES.index(name), number])
    return generator.standard_normal(size).astype(np.float32)


def weight_of(name: str) -> int:
    return 1 + 3 * LEAVES.index(name)


def test_the_parents_model_is_that_of_all_participants_at_once(sides: tuple[Side, Side], tmp_path: Path) -> None:
    above, below = sides
    events: dict[str, list[Event]] = {region: [] for region in REGIONS}
    ending = threading.Event()
    with ThreadPoolExecutor(max_workers=8) as pool:
        try:
            leaves = [
                pool.submit(take_part, below, region, name, tmp_path, ending)
                for region, names in REGIONS.items()
                for name in names
            ]
            regions = {
                region: pool.submit(run_region, above, below, region, tmp_path, events[region], ending)
                for region in REGIONS
            }
            create_task(above.federation, above.keys, PARENT)
            everything = [*leaves, *regions.values()]
            wait_until(lambda: all(one.done() for one in everything), [above.job, below.job], everything)
        finally:
            ending.set()
    assert [one.result() for one in leaves] == [NUM_ROUNDS] * len(LEAVES)
    assert [one.result() for one in regions.values()] == [NUM_ROUNDS] * len(REGIONS)

    published = {manifest.version: manifest for manifest in above.manifests("world")}
    assert sorted(published) == [0, 1, 2]
    for version in (1, 2):
        assert all(each.selected for each in published[version].contributions)
        assert len(published[version].contributions) == len(REGIONS)
        np.testing.assert_array_equal(model(above, published[version]), flat_model(above, published[version - 1]))
    for region in REGIONS:
        sums = below.manifests(region)
        assert [(each.version, each.round, each.partial) for each in sums] == [(1, 1, True), (2, 2, True)]
        assert [event.manifest for event in events[region] if isinstance(event, Summed)] == sums

    for side, task in ((above, "world"), (below, "west"), (below, "east")):
        result = replay(KafkaLog(side.transport, side.federation), task, NUM_ROUNDS)
        assert result.bit_exact, result.differs
    for side in sides:
        assert audited(side)


def take_part(below: Side, region: str, name: str, folder: Path, ending: threading.Event) -> int:
    """A participant of a region, with the SDK as it is."""

    def train(base: npt.NDArray[np.float32], round_: Round) -> tuple[npt.NDArray[np.float32], int]:
        return delta_of(name, round_.round, base.size), weight_of(name)

    key = below.participants[name]
    with Participant(below.federation, name, key, folder / f"{name}.sqlite") as participant:
        watch(ending, participant.stop)
        return participant.participate(region, train, encoding=ENCODINGS[name])


def run_region(
    above: Side, below: Side, region: str, folder: Path, events: list[Event], ending: threading.Event
) -> int:
    """The process of a region; that of the west ends after its first update, and another one goes on."""
    for stops in (region == "west", False):
        with Region(
            region_file(region),
            below.federation,
            above.federation,
            region,
            above.participants[region],
            below.keys.operator,
            folder / f"{region}.sqlite",
            parent_task="world",
        ) as process:
            watch(ending, process.stop)

            def note(event: Event, process: Region = process, stops: bool = stops) -> None:
                events.append(event)
                if stops and isinstance(event, Published):
                    process.stop()

            contributed = process.run(note)
        if not stops:
            break
    return contributed


def watch(ending: threading.Event, stop: Callable[[], None]) -> None:
    """So that a test that fails does not wait for threads that will never be done."""
    threading.Thread(target=lambda: (ending.wait(), stop()), daemon=True).start()


def model(side: Side, manifest: ModelManifest) -> npt.NDArray[np.float32]:
    blobs = side.federation.topics.model_blobs
    return load_model(side.transport, blobs, manifest.chunks, manifest.model_digest, manifest.num_elements)


def flat_model(above: Side, parent: ModelManifest) -> npt.NDArray[np.float32]:
    """The next model of a federation without regions: the weighted mean of all participants, from the same updates."""
    base, size = model(above, parent), parent.chunk_elements
    encoded = {
        name: encoding.encoder(ENCODINGS[name]).encode(
            delta_of(name, parent.version + 1, base.size), parent.layout, size
        )
        for name in LEAVES
    }
    chunks = []
    for index in range(len(parent.chunks)):
        span = Span.of(parent, index)
        total = ChunkSum(span.size, parent.fraction_bits)
        for name, delta in encoded.items():
            add_chunk(
                total,
                delta.chunks[index],
                encoding=ENCODINGS[name],
                span=span,
                scales=delta.scales,
                weight=weight_of(name),
            )
        part = base[span.start : span.start + span.size]
        chunks.append(finish(part, total.values, sum(map(weight_of, LEAVES)), parent.fraction_bits))
    return np.concatenate(chunks)


def audited(side: Side) -> bool:
    """Whether an auditor vouches for everything, when it is time that it did."""
    deadline = time.monotonic() + 30.0
    while True:
        with snapshot(side.federation.brokers, audited_topics(side.federation.topics), "test-audit") as reader:
            report = verify(reader, side.federation)
        if report.verified and not report.num_pending:
            assert_invariants(side.federation)
            return True
        if time.monotonic() > deadline:
            raise AssertionError([f"{problem.check} {problem.where} {problem.message}" for problem in report.problems])
        time.sleep(0.5)


def wait_until(condition: Callable[[], bool], jobs: list[LocalJob], futures: list[Future[int]]) -> None:
    deadline = time.monotonic() + 150.0
    while not condition():
        for job in jobs:
            assert job.pid is not None, f"the job {job.name} ended; see {job.log}"
        for future in futures:
            if future.done():
                future.result()
        assert time.monotonic() < deadline, "waited too long for the regions"
        time.sleep(0.05)
