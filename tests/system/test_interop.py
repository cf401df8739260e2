"""The audit log read by programs in four languages that share no code with this one (deploy/interop).

Python's is part of all tests; the others are built in build/interop and run by `make interop`. What a machine has no
tools for is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deploy.broker.topics import create_topics
from fluvial.identity.federation import Federation
from fluvial.kafka import connect
from fluvial.wire.framing import decode, encode, version_of
from fluvial.wire.records import Decision, Score, SequencedEvent
from tests.unit.fluvial.auditor.world import honest_world

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CHECKOUT = Path(__file__).parents[2]
SOURCES = CHECKOUT / "deploy" / "interop"
BUILT = CHECKOUT / "build" / "interop"
FINGERPRINTS = CHECKOUT / "schemas" / "bundle" / "fingerprints.json"

BUILDS = {
    "python": [],
    "go": ["go", "build", "-o", "consume", "."],
    "javascript": ["npm", "ci", "--silent"],
    "java": ["mvn", "--batch-mode", "--quiet", "package"],
}
RUNS = {
    "python": [sys.executable, "consume.py"],
    "go": ["./consume"],
    "javascript": ["node", "consume.js"],
    "java": ["java", "-cp", "lib/*", "Consume.java"],
}


@dataclass(frozen=True, slots=True)
class Log:
    """A log in a broker: where it is, its leaves, and the lines that a consumer must print of them."""

    federation: Path
    leaves: list[bytes]
    root: str


@pytest.fixture(scope="module")
def log(broker, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log whose leaves hold records of versions 1 and 2 and one of a release to come, among what strangers wrote."""
    return _put(broker, tmp_path_factory.mktemp("interop"), lambda leaves: leaves)


def _junk(leaf: bytes, note: bytes) -> tuple[list[bytes], list[bytes]]:
    """What strangers write among leaves, and among checkpoints: whatever, a copy, half a leaf, another record, a leaf
    of a type that claims a gigabyte; a checkpoint with another signature."""
    claims_much = leaf[:10] + b"\0\0" + b"\x80\x80\x80\x80\x08"
    forged = note[:-10] + b"AAAAAAAA" + note[-2:]
    another = decode(leaf, SequencedEvent).event.data
    return [b"", b"junk", b"\xc3\x01" + bytes(20), leaf, leaf[:-9], another, claims_much], [b"", b"x\n\ny\n", forged]


def _put(broker, directory: Path, change) -> Log:
    world = honest_world()
    scores = (Score(name="canary_loss", value=0.25),)
    world.judge(world.update("anna", 9), "anna", 9, Decision.REJECT, scores=scores)
    last = world.events[-1]
    world.events.append(replace(last, id="of-tomorrow", data=last.data[:2] + bytes(8) + last.data[10:]))
    world.sequence()
    world.sign()
    federation: Federation = replace(
        world.federation,
        bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=f"interop-{uuid.uuid4().hex[:8]}.",
    )
    federation.save(directory / "federation.json")
    topics = federation.topics
    create_topics(federation.brokers, topics.all_settings(1))
    leaves = change([record.value or b"" for record in world.kept[world.topics.audit]])
    transport = connect(federation.brokers, "test-interop")
    try:
        notes = [record.value or b"" for record in world.kept[world.topics.checkpoints]]
        of_leaves, of_notes = _junk(leaves[0], notes[-1])
        values = [*leaves[:3], *of_leaves, *leaves[3:]]
        sent = [transport.produce(topics.audit, value, key=b"", partition=0) for value in values]
        sent += [transport.produce(topics.checkpoints, junk, key=b"", partition=0) for junk in of_notes]
        sent += [transport.produce(topics.checkpoints, note, key=b"", partition=0) for note in notes]
        for each in sent:
            each.result(30)
    finally:
        transport.close()
    return Log(directory / "federation.json", leaves, world.signer_state.tree.root().hex())


@pytest.fixture(scope="module")
def altered(broker, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """The same, but the last leaf tells of another subject than the one that was signed."""

    def change(leaves: list[bytes]) -> list[bytes]:
        last = decode(leaves[-1], SequencedEvent)
        return [*leaves[:-1], encode(replace(last, event=replace(last.event, subject="ben")))]

    return _put(broker, tmp_path_factory.mktemp("altered"), change)


@pytest.fixture(
    scope="module",
    params=["python", *(pytest.param(each, marks=pytest.mark.interop) for each in ("go", "javascript", "java"))],
)
def consumer(request: pytest.FixtureRequest) -> list[str]:
    """The command of a consumer that is built, to be run in its folder; the folder comes first."""
    language: str = request.param
    for tool in {RUNS[language][0], *BUILDS[language][:1]} - {"./consume"}:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not on this machine")
    folder = BUILT / language
    shutil.copytree(SOURCES / language, folder, dirs_exist_ok=True)
    if BUILDS[language]:
        built = subprocess.run(BUILDS[language], cwd=folder, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
    return [str(folder), *RUNS[language]]


def _run(consumer: list[str], log: Log) -> subprocess.CompletedProcess[str]:
    folder, *command = consumer
    arguments = [str(log.federation), str(FINGERPRINTS), str(len(log.leaves))]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_consumer_in_another_language_reads_and_checks_the_log(consumer: list[str], log: Log) -> None:
    expected = []
    for leaf in log.leaves:
        sequenced = decode(leaf, SequencedEvent)
        event = sequenced.event
        if event.id == "of-tomorrow":
            expected.append(f"{sequenced.sequence} {event.type} {event.subject} cannot be read:")
            continue
        version = version_of(event.data)
        avro = decode(event.data, version.record).to_avro()
        values = (
            f"{name}={json.dumps(avro[name]) if isinstance(avro[name], bool) else avro[name]}"
            for name in (field["name"] for field in json.loads(version.schema)["fields"])
            if isinstance(avro[name], str | int)
        )
        expected.append(" ".join([str(sequenced.sequence), event.type, event.subject, str(version.number), *values]))
    found = _run(consumer, log)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    leaves = [line for line in lines if not line.startswith("checkpoint")]
    assert leaves[:-1] == expected[:-1]
    assert leaves[-1].startswith(expected[-1])
    of_leaves, of_notes = _junk(log.leaves[0], bytes(99))
    passed_over = [line for line in found.stderr.splitlines() if " is passed over: " in line]
    assert len(passed_over) == len(of_leaves) + len(of_notes)
    assert lines[-1] == f"checkpoint {len(log.leaves)} {log.root}"
    assert {line.split(" ")[3] for line in expected[:-1]} == {"1", "2"}


def test_it_notices_a_leaf_that_was_altered_behind_the_chain(consumer: list[str], altered: Log) -> None:
    found = _run(consumer, altered)
    assert found.returncode not in (0, None)
    assert f"the checkpoint of {len(altered.leaves)}" in found.stdout + found.stderr


@pytest.mark.interop
def test_javas_tool_makes_classes_of_every_schema_at_once(tmp_path: Path) -> None:
    """As schemas/README.md tells."""
    for tool in ("mvn", "java"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not on this machine")
    tool, schemas = BUILT / "avro-tools-1.12.0.jar", CHECKOUT / "schemas"
    if not tool.exists():
        copy = ["mvn", "-B", "-q", "dependency:copy", "-Dartifact=org.apache.avro:avro-tools:1.12.0"]
        subprocess.run([*copy, f"-DoutputDirectory={BUILT}"], check=True)
    arguments = ["compile", "schema", str(schemas / "bundle" / "fluvial.avsc"), str(tmp_path)]
    made = subprocess.run(["java", "-jar", str(tool), *arguments], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    classes = {file.stem for file in tmp_path.rglob("*.java")}
    assert {json.loads(file.read_text())["name"] for file in schemas.glob("*.avsc")} <= classes


@pytest.mark.interop
def test_a_producer_in_go_can_write_the_one_form_that_is_accepted() -> None:
    if not shutil.which("go"):
        pytest.skip("go is not on this machine")
    tested = subprocess.run(["go", "test", "./..."], cwd=SOURCES / "go", capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
