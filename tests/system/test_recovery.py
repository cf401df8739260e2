"""What is killed in the middle of a round is not noticed in its outcome.

Every test plays the same updates as in `calm` and `calm-krum`, tasks of the same seed that nothing happened to: the
models' bytes must be theirs, every input must have exactly one verdict, every update one receipt, the audit must hold.

FLUVIAL_LOSSES: how often all jobs and checkpoints are lost, in a round each (10). FLUVIAL_LOSS_SEED: the first seed of
when and of what comes after (1; `make soak`: 11).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer

from deploy.bench.usage import java_child
from deploy.cluster import flink_home
from deploy.jobs.code import PACKAGES
from deploy.jobs.submission import LocalJob, Submission
from deploy.machine.errors import StackError
from deploy.machine.jars import CHECKOUT
from deploy.simulation.memory_log import MemoryLog
from deploy.simulation.parties import Parties
from deploy.simulation.server import Server
from fluvial.admission.judgement import Source
from fluvial.edge.training.task_code import TaskCode
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.event import EVENT_TYPES, read_event
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, Lease, LeaseCause, SequencedEvent, SetAside
from governance.audit import sequencer
from governance.audit.events import audit_event
from pipelines.flink import log_reader
from pipelines.flink.leases import LeaseLog
from pipelines.flink.stage_mac import StageMac
from pipelines.leases.holding import user_of
from pipelines.replay import KafkaLog, replay
from tests.system.small_federation import KRUM, MEAN, NUM_PARTICIPANTS, NUM_ROUNDS, STAGES, SmallFederation
from tests.system.small_federation import task_file as small_task_file

NUM_LOSSES = int(os.environ.get("FLUVIAL_LOSSES", "10"))
FIRST_SEED = int(os.environ.get("FLUVIAL_LOSS_SEED", "1"))

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

HALF = NUM_PARTICIPANTS // 2
COMPOSITIONS = [
    [STAGES],
    [(*STAGES, "evaluation")],
    [("validation",), ("aggregation", "audit")],
    [("validation", "aggregation"), ("audit",)],
    [("validation", "audit"), ("aggregation", "evaluation")],
]
"""Stages by job."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallFederation]:
    """With the tasks `calm` and `calm-krum` played to their end."""
    directory: Path = tmp_path_factory.mktemp("recovery")
    with SmallFederation(directory) as small:
        small.job.start()
        small.job.wait_until_running()
        play_undisturbed(small, "calm", MEAN)
        play_undisturbed(small, "calm-krum", KRUM)
        yield small


def play_undisturbed(small: SmallFederation, task: str, rule: dict[str, object]) -> None:
    small.create_task(task, rule)
    small.play(task)
    small.wait_for_version(task, NUM_ROUNDS)


def kill_the_operators(small: SmallFederation) -> None:
    """SIGKILL to the JVM; the job is submitted again."""
    jvm = java_child(small.job.pid or 0)
    assert jvm is not None
    os.kill(jvm, signal.SIGKILL)
    assert small.job.wait() != 0
    small.job.stop()
    small.job.start()


def kill_the_broker(small: SmallFederation) -> None:
    """SIGKILL; it starts again on the same port and data. The job is left to itself."""
    address = small.stack.broker.bootstrap_servers
    small.stack.broker.kill()
    small.stack.broker.start()
    assert small.stack.broker.bootstrap_servers == address


@pytest.mark.parametrize("disaster", [kill_the_operators, kill_the_broker])
def test_a_round_survives(federation: SmallFederation, disaster: Callable[[SmallFederation], None]) -> None:
    storm, storm_krum = f"storm-{disaster.__name__.replace('_', '-')}", f"krum-{disaster.__name__.replace('_', '-')}"
    federation.create_task(storm, MEAN)
    federation.create_task(storm_krum, KRUM)
    rounds = [federation.wait_for_round(task, 1) for task in (storm, storm_krum)]

    # Half of the updates: all but the last have their verdict, so they are accumulated; the last is on its way.
    for round_ in rounds:
        numbers = range(HALF - 1)
        federation.wait_for_verdicts(numbers, federation.publish(round_, numbers))
    for round_ in rounds:
        federation.publish(round_, [HALF - 1])
    disaster(federation)
    for round_ in rounds:
        federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
    for task, calm in ((storm, "calm"), (storm_krum, "calm-krum")):
        federation.wait_for_version(task, 1)
        federation.play(task, [2])
        check_models(federation, task, calm)
    check_books(federation)


@pytest.mark.soak
def test_the_next_release_goes_on_from_a_savepoint(
    federation: SmallFederation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rolling upgrade in the middle of a round: the job's last state is given to code in which every record has one
    version more."""
    tasks = {"upgraded": "calm", "upgraded-krum": "calm-krum"}
    for task, rule in zip(tasks, (MEAN, KRUM), strict=True):
        federation.create_task(task, rule)
    rounds = [federation.wait_for_round(task, 1) for task in tasks]
    for round_ in rounds:
        federation.wait_for_verdicts(range(HALF), federation.publish(round_, range(HALF)))
    assert not federation.others
    state = federation.stack.directory.checkpoints / federation.job.name
    federation.stop()
    savepoint = max(state.glob("*/chk-*/_metadata"), key=lambda metadata: metadata.stat().st_mtime_ns).parent

    release = next_release(tmp_path / "release")
    monkeypatch.setattr(flink_home, "CHECKOUT", release)
    settings = {"repository_root": release}
    federation.job = LocalJob(
        federation.stack.directory,
        Submission(stages=STAGES, name="next", parallelism=2, savepoint=savepoint, settings=settings),
    )
    federation.job.start()
    federation.job.wait_until_running()
    for round_ in rounds:
        federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
    for task, calm in tasks.items():
        federation.wait_for_version(task, 1)
        federation.play(task, [2])
        check_models(federation, task, calm)
    check_books(federation)
    assert "the next release" in federation.job.log.read_text()
    assert "goes on from the log" not in federation.job.log.read_text(), "its state was taken, not made anew"


def next_release(folder: Path) -> Path:
    """A copy of the checkout with another field at the end of every record that is no part of another; its operators
    say what they are."""
    for package in (*PACKAGES, "schemas"):
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "build").symlink_to(CHECKOUT / "build")
    texts = {file: file.read_text() for file in (folder / "schemas").glob("*.avsc")}
    for file, text in texts.items():
        schema = json.loads(text)
        if sum(f'"name": "{schema["name"]}"' in other for other in texts.values()) > 1:
            continue  # a part of others, whose copies would have to change with it
        schema["fields"].append({"name": "in_the_next", "type": "string", "doc": "A new field.", "default": ""})
        file.write_text(json.dumps(schema, indent=2) + "\n")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-m", "schemas.generate"], cwd=folder, env=environment, check=True)
    with (folder / "pipelines" / "__init__.py").open("a") as code:
        code.write("\nimport logging\n\nlogging.getLogger(__name__).warning('the next release')\n")
    return folder


def test_flinks_state_is_a_cache_over_the_log(federation: SmallFederation) -> None:
    """In every round all jobs are killed at any moment and every checkpoint is deleted; the stages go on in other jobs,
    of other names and another parallelism. A seed says of each round when, and what comes after.

    The rounds are of the same tasks, so that a job also goes on from what several before it have left.
    """
    steady, tasks = {"steady": MEAN, "steady-krum": KRUM}, {"lost": "steady", "lost-krum": "steady-krum"}
    for task, rule in zip((*steady, *tasks), (MEAN, KRUM, MEAN, KRUM), strict=True):
        federation.create_task(task, rule, rounds=NUM_LOSSES)
    for number in range(1, NUM_LOSSES + 1):
        for task in steady:
            federation.play(task, [number])
    for task in steady:
        federation.wait_for_version(task, NUM_LOSSES)
    for number, seed in enumerate(range(FIRST_SEED, FIRST_SEED + NUM_LOSSES), 1):
        began = time.monotonic()
        lose_everything_in_a_round(federation, list(tasks), number, seed)
        for task, undisturbed in tasks.items():
            federation.wait_for_version(task, number)
            check_models(federation, task, undisturbed, number, replayed=False)
        print(f"seed {seed}: {time.monotonic() - began:.0f} s")
    for task in tasks:
        check_replay(federation, task, NUM_LOSSES)
    check_books(federation)


def lose_everything_in_a_round(federation: SmallFederation, tasks: Sequence[str], number: int, seed: int) -> None:
    generator = random.Random(seed)
    rounds = [federation.wait_for_round(task, number) for task in tasks]
    turns = [(round_, who) for round_ in rounds for who in range(NUM_PARTICIPANTS)]
    generator.shuffle(turns)
    before = generator.randint(0, len(turns))
    for round_, who in turns[:before]:
        federation.publish(round_, [who])
    time.sleep(generator.uniform(0.0, 1.0))
    composition, parallelism = generator.choice(COMPOSITIONS), generator.choice([1, 2, 3])
    print(f"seed {seed}: {before} of {len(turns)} updates; then {composition}, parallelism {parallelism}")
    federation.lose_jobs_and_checkpoints()
    federation.submit(composition, f"after-{seed}", parallelism)
    for round_, who in turns[before:]:
        federation.publish(round_, [who])


def check_models(
    small: SmallFederation, task: str, calm: str, num_rounds: int = NUM_ROUNDS, *, replayed: bool = True
) -> None:
    """num_rounds: that the task has had."""
    models, undisturbed = small.wait_for_version(task, num_rounds), small.manifests(calm)[: 1 + num_rounds]
    assert [model.model_digest for model in models] == [model.model_digest for model in undisturbed]
    assert [model.attempt for model in models] == [0, *[1] * num_rounds]
    if replayed:
        check_replay(small, task, num_rounds)


def check_replay(small: SmallFederation, task: str, num_rounds: int) -> None:
    for version in range(1, num_rounds + 1):
        assert replay(KafkaLog(small.transport, small.federation), task, version).differs == ()


def check_books(small: SmallFederation) -> None:
    """Every input has one verdict, every update one receipt, and the audit log says so."""
    report = small.audit()
    assert report.problems == ()
    assert report.verified
    assert report.num_pending == 0
    assert report.signed_size == report.size
    verdicts = small.verdicts_by_input()
    assert set(map(tuple, verdicts.values())) == {("ACCEPTED",)}
    receipts = small.receipts()
    assert set(receipts.values()) == {1}
    assert len(receipts) == len(verdicts)
    outcomes = {outcome for _, outcome in receipts}
    assert outcomes == {"INCLUDED", "EXCLUDED"}


@pytest.mark.parametrize(("task", "rule"), [("calm", MEAN), ("calm-krum", KRUM)])
def test_a_simulation_makes_the_federations_models_of_its_updates(
    federation: SmallFederation, task: str, rule: dict[str, object]
) -> None:
    """The envelopes and chunks of the log, given to the simulation's server in another order than they came."""
    topics, task_file = federation.federation.topics, small_task_file(task, rule)
    log, parties = MemoryLog(federation.federation.partitions), Parties(seed=0, scope=topics.scope)
    for name, key in federation.keys.items():
        parties.enrol(name, key.public_key)
    for chunk in federation.read(topics.update_blobs):
        log.put_update_chunk((chunk.partition, chunk.offset), chunk.value)
    envelopes = {(message.partition, message.offset): message for message in federation.read(topics.updates)}
    published = federation.manifests(task)
    server, state = Server(log, parties), TaskCode.of(task_file).state()
    server.create(task_file, state.layout, state.flatten(), now_ms=1)
    for manifest in published[1:]:
        for contribution in manifest.contributions:
            place = contribution.source_partition, contribution.source_offset
            source = Source(
                topic="updates", partition=place[0], offset=place[1], timestamp_ms=1, key=envelopes[place].key
            )
            assert server.receive(envelopes[place].value, source, now_ms=1).decision is Decision.ACCEPT
    assert len(published) == 1 + NUM_ROUNDS
    for manifest in published:
        simulated = log.published[manifest.version]
        assert simulated.model_digest == manifest.model_digest
        assert simulated.contributions == manifest.contributions


def test_of_two_jobs_of_a_stage_one_acts_and_the_other_never_again(federation: SmallFederation) -> None:
    """The second is refused while the first is alive. The first is stopped in the middle of a round for longer than
    anybody waits for it, the second takes its stages, and the first goes on: nothing of it becomes visible."""
    former = [federation.job, *federation.others]
    with pytest.raises(StackError, match=r"the stage audit is held by the job .* on .*--take-over"):
        LocalJob(federation.stack.directory, Submission(stages=("audit",), name="refused")).start()
    federation.create_task("frozen", MEAN)
    round_ = federation.wait_for_round("frozen", 1)
    numbers = range(HALF - 1)
    federation.wait_for_verdicts(numbers, federation.publish(round_, numbers))
    federation.publish(round_, [HALF - 1])
    parents = [psutil.Process(job.pid) for job in former]
    processes = [*parents, *(child for parent in parents for child in parent.children(recursive=True))]
    for process in processes:
        process.suspend()
    try:
        federation.submit([STAGES], "second", 1)  # waits until the first has said nothing for long
        federation.publish(round_, range(HALF, NUM_PARTICIPANTS))
        federation.wait_for_version("frozen", 1)
        federation.publish(federation.wait_for_round("frozen", 2), [0])
    finally:
        for process in processes:
            process.resume()
    for job in former:
        assert job.wait() != 0
        job.stop()
        assert "held by the job second on" in job.log.read_text()
    federation.publish(federation.wait_for_round("frozen", 2), range(1, NUM_PARTICIPANTS))
    check_models(federation, "frozen", "calm")
    check_books(federation)


def test_a_job_that_loses_a_prepared_transaction_is_started_again_from_the_log(federation: SmallFederation) -> None:
    """Whoever has learnt the job's transactional ids uses them, so that the brokers refuse what a checkpoint had
    prepared. What is missing then is made again from the log, and a leaf says so."""
    if federation.others:
        federation.stop()
        federation.submit([STAGES], "robbed", 1)
    lost, tasks = [*lost_transactions(federation)], []
    deadline = time.monotonic() + 150.0
    with Robber(federation) as robber:
        while lost_transactions(federation) == lost:
            assert time.monotonic() < deadline, f"{robber.num_uses} uses of ids, and none met a prepared transaction"
            tasks.append(f"robbed-{len(tasks)}")
            federation.create_task(tasks[-1], MEAN)
            round_ = federation.wait_for_round(tasks[-1], 1)
            for number in range(NUM_PARTICIPANTS):
                federation.publish(round_, [number])
                time.sleep(0.3)
    for task in tasks:
        federation.wait_for_version(task, 1)
        federation.play(task, [2])
        check_models(federation, task, "calm")
    check_books(federation)
    alarms = [read_event(leaf.event) for leaf in leaves(federation) if leaf.event.type == EVENT_TYPES[Lease]]
    told = {one.epoch for one in alarms if isinstance(one, Lease) and one.cause is LeaseCause.TRANSACTION_LOST}
    lost = lost_transactions(federation)
    assert told <= set(lost)
    assert lost[-1] in told, "of others the alarm itself may have been lost"
    assert federation.job.pid is not None, "it has started again in its process"


class Robber:
    """Uses the transactional ids of the newest job's sink while something is prepared, until a transaction was lost.

    A transaction is prepared when its checkpoint is complete, and committed some milliseconds later: the job's JVM is
    stopped as soon as there is a checkpoint more, and the ids are used where uncommitted records lie in the log then.
    """

    def __init__(self, small: SmallFederation) -> None:
        self._small, self._brokers, self._topics = small, small.federation.brokers, small.federation.topics
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rob, daemon=True)
        self.num_uses = 0

    def __enter__(self) -> Robber:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _rob(self) -> None:
        """Nothing is asked between a checkpoint and the halt: who looks up a process or a lease first is too late."""
        lost, operators = lost_transactions(self._small), None
        while not self._over.is_set():
            if operators is None or not operators.is_running():
                jvm = java_child(self._small.job.pid or 0)
                operators = psutil.Process(jvm) if jvm is not None else None
                continue
            known = self._checkpoints()
            while self._checkpoints() <= known:
                if self._over.wait(0.0002):
                    return
            try:
                operators.suspend()
            except psutil.NoSuchProcess:  # the job has started again, in another JVM
                continue
            try:
                if self.num_uses and lost_transactions(self._small) != lost:
                    return
                if self._is_something_open():
                    self._use()
            finally:
                operators.resume()

    def _checkpoints(self) -> set[Path]:
        folder = self._small.stack.directory.checkpoints / self._small.job.name
        return set(folder.glob("*/chk-*/_metadata"))

    def _is_something_open(self) -> bool:
        every = [log_reader.bounds(self._brokers, topic) for topic in (self._topics.events, self._topics.audit)]
        return any(held.written > held.end for topic in every for held in topic.values())

    def _use(self) -> None:
        """The coordinator's records are keyed by version and id, each a length before its bytes."""
        keys = [record.key or b"" for record in log_reader.read_to_end(self._brokers, "__transaction_state")]
        sinks = {key[4:].decode() for key in keys if b"/sink" in key}
        newest = max((epoch_of(known) for known in sinks), default=0)
        for known in sinks:
            if epoch_of(known) == newest:
                Producer({**self._brokers.librdkafka("robber"), "transactional.id": known}).init_transactions(20)
                self.num_uses += 1


def epoch_of(transactional_id: str) -> int:
    user = user_of(transactional_id, "fluvial.")
    assert user is not None
    return user.epoch


def lost_transactions(small: SmallFederation) -> list[int]:
    """Epochs of the leases that were taken because one was lost."""
    table = LeaseLog(small.federation.brokers, small.federation.topics, small.stack.keys.aggregator.public_key).read()
    held = [table.at(epoch).lease for epoch in range(1, table.epoch + 1)]
    return [lease.epoch for lease in held if lease.cause is LeaseCause.TRANSACTION_LOST]


def leaves(small: SmallFederation) -> list[SequencedEvent]:
    return [decode(message.value, SequencedEvent) for message in small.read(small.federation.topics.audit)]


def test_the_audit_stage_goes_on_from_the_log_alone(federation: SmallFederation) -> None:
    """Another composition of stages, under another name, and no checkpoint is left: the log goes on behind its last
    leaf, and what anybody writes into its topics neither stops it nor becomes a leaf."""
    assert not federation.audit().num_pending, "what another test left unfinished would make leaves here"
    federation.stop()
    shutil.rmtree(federation.stack.directory.checkpoints)
    before = federation.audit()
    topics = federation.federation.topics
    producer = Producer(federation.federation.brokers.librdkafka("test"))
    mac = StageMac.load(federation.stack.directory.keys)
    record = SetAside(operator="test", item="0@0", item_sha256=bytes(32), error="ValueError")
    event = audit_event(record, 1_700_000_000_000)
    end = ChainEnd(before.size, bytes(32))
    for topic, value, proven in [
        (topics.events, b"garbage", False),
        (topics.events, b"garbage", True),
        (topics.events, encode(replace(event, time_ms=1 << 62)), True),
        (topics.events, encode(replace(event, id="another")), False),
        (topics.audit, b"garbage", False),
        (topics.audit, sequencer.append(end, event)[1], False),
        (topics.checkpoints, b"garbage", False),
        (topics.events, encode(event), True),
    ]:
        producer.produce(topic, value, b"k", headers=[mac.header(topic, b"k", value)] if proven else [])
    assert producer.flush(20) == 0

    job = LocalJob(federation.stack.directory, Submission(stages=("audit",), name="alone"))
    with job:
        job.wait_until_running()
        federation.wait_until(lambda: federation.audit().signed_size > before.size, "the next leaf", job)
        after = federation.audit()
        assert job.pid is not None
    assert after.verified, after.problems
    assert (after.size, after.signed_size) == (before.size + 1, before.size + 1)
    assert after.num_skipped == before.num_skipped + 3
