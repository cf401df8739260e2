"""`fluvial up --secure`, from the start to a verified audit: stack, jobs, operator, participants and auditor each with
credentials of their own, and nothing for those who have none."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.acts.access import grant_access, principals_with_access, revoke_access
from deploy.acts.tasks import create_task
from deploy.broker.configuration import Ports
from deploy.federation.directory import DataDirectory
from deploy.federation.keys import ServiceKeys
from deploy.jobs.submission import Submission, submit_to_session
from deploy.local.detached import stop_detached
from deploy.machine.errors import StackError
from deploy.machine.jars import kafka_jars
from deploy.machine.processes import java
from deploy.security.quotas import PARTICIPANT, default_quota
from deploy.security.rights import ADMIN
from fluvial.edge import Participant
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import TransportFailed, connect
from fluvial.registry.acts import OperatorActs
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import NAMES
from tests.system.test_stack import run_fluvial

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

STAGES = ("validation", "aggregation", "audit")
FORBIDDEN = sorted({*NAMES} - {"enrolments", "updates", "update_blobs", "reports"})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataDirectory]:
    """A secure stack with a job on its cluster."""
    directory = DataDirectory(tmp_path_factory.mktemp("secure") / "data")
    up = run_fluvial("up", "--data-dir", str(directory.root), "--partitions", "1", "--secure")
    assert up.returncode == 0, up.stderr
    assert "mutual TLS" in up.stdout
    try:
        submit_to_session(directory, Submission(stages=STAGES))
        yield directory
    finally:
        stop_detached(directory.root)


@pytest.fixture
def handed_out(directory: DataDirectory, tmp_path: Path) -> Path:
    return tmp_path / "handed-out"


def given(folder: Path) -> Federation:
    return Federation.load(folder / "federation.json")


def test_a_round_of_a_secure_federation_ends_in_a_verified_log(directory: DataDirectory, handed_out: Path) -> None:
    """One participant has a certificate, the other a password. The auditor has rights to read, and no more."""
    keys, task = ServiceKeys.load_or_make(directory.keys), TaskFile.model_validate(TASK_FIELDS)
    create_task(directory.federation(), keys, task)
    with closing(connect(directory.federation().brokers, "test")) as transport:
        tokens = OperatorActs(transport, directory.federation(), keys.operator).issue_tokens(["clinic", "lab"])
    participants = []
    for name, by_password in (("clinic", False), ("lab", True)):
        grant_access(directory, name, handed_out / name, valid_days=1, by_password=by_password)
        participant = Participant(
            given(handed_out / name), name, SigningKey.generate(), handed_out / name / "outbox.sqlite"
        )
        participants.append(participant)
        participant.enrol(tokens[name], ["toy-terms"], timeout=120)
    assert principals_with_access(directory) == ["participant:clinic", "participant:lab"]
    with ThreadPoolExecutor(len(participants)) as threads:
        playing = [threads.submit(each.participate, task.task, train, max_rounds=1) for each in participants]
        assert [played.result(120) for played in playing] == [1, 1]
    for participant in participants:
        participant.close()
    assert grant_access(directory, "court", handed_out / "court", valid_days=1, auditor=True) == "auditor:court"
    auditor, file = given(handed_out / "court"), handed_out / "court" / "federation.json"
    verified = run_fluvial("audit", "verify", "--federation", str(file), "--grace", "60", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["verified"]
    with closing(connect(auditor.brokers, "test")) as transport:
        refused = transport.produce(auditor.topics.checkpoints, b"x", key=b"k").exception(30)
    assert isinstance(refused, TransportFailed)


def train(base_D, round_):
    return np.full_like(base_D, 0.5), 3


TASK_FIELDS = {
    "task": "toy",
    "title": "A model of ten parameters",
    "model": {"architecture": "logistic_regression", "parameters": {"inputs": 4, "classes": 2}, "seed": 1},
    "rounds": 1,
    "quorum": 2,
    "target": 2,
    "deadline_seconds": 60,
    "chunk_elements": 4,
    "limits": {"max_abs": 10, "max_weight": 1000},
    "agreement": {"name": "toy-terms", "text": "Be good."},
}


def test_a_participant_writes_nothing_that_decides(directory: DataDirectory, handed_out: Path) -> None:
    grant_access(directory, "forger", handed_out, valid_days=1)
    federation = given(handed_out)
    with closing(connect(federation.brokers, "test")) as transport:
        for name in FORBIDDEN:
            with pytest.raises(TransportFailed, match=r"permission denied on .*ask the operator"):
                transport.produce(getattr(federation.topics, name), b"forged", key=b"forger").result(30)


def test_a_revoked_participant_is_told_so(directory: DataDirectory, handed_out: Path) -> None:
    grant_access(directory, "leaver", handed_out / "one", valid_days=1)
    revoke_access(directory, "leaver")
    with (
        Participant(given(handed_out / "one"), "leaver", SigningKey.generate(), handed_out / "outbox") as participant,
        pytest.raises(TransportFailed, match=r"permission denied|may not see it"),
    ):
        participant.enrol("token", [], timeout=20)
    assert grant_access(directory, "leaver", handed_out / "two", valid_days=1) == "participant:leaver/2"


def test_who_has_no_credentials_is_told_what_to_do(directory: DataDirectory, handed_out: Path) -> None:
    grant_access(directory, "late", handed_out, valid_days=-1)
    security = replace(given(handed_out).security, certificate_file=None, key_file=None)
    stranger = replace(given(handed_out), security=security)
    stranger.save(handed_out / "stranger.json")
    for file, said in (("federation.json", "has expired on"), ("stranger.json", "wants a certificate")):
        listed = run_fluvial("model", "list", "--federation", str(handed_out / file))
        assert listed.returncode == 3
        assert said in listed.stderr
        assert "ask the operator" in listed.stderr
        assert "Traceback" not in listed.stderr


def test_everything_secret_is_its_owners_alone(directory: DataDirectory, handed_out: Path) -> None:
    grant_access(directory, "careful", handed_out, valid_days=1, by_password=True)
    for folder in (directory.credentials.folder, handed_out):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secret = [*directory.credentials.folder.glob("*.pem"), handed_out / "password"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in secret} == {0o600}
    with pytest.raises(StackError, match="not empty"):
        grant_access(directory, "careful", handed_out, valid_days=1)


def test_nobody_takes_the_broker_for_himself(directory: DataDirectory) -> None:
    assert default_quota(directory.brokers(ADMIN)) == PARTICIPANT


@pytest.mark.parametrize("by_password", [False, True], ids=["certificate", "password"])
def test_java_clients_get_in_by_the_same_value(
    directory: DataDirectory, handed_out: Path, tmp_path: Path, by_password: bool
) -> None:
    """With Kafka's own tool: the properties hold no secret, the client finds it where they say."""
    name = f"java-{by_password}"
    grant_access(directory, name, handed_out, valid_days=1, by_password=by_password)
    federation = given(handed_out)
    properties = federation.brokers.java()
    (tmp_path / "client.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    command = [java(), "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_jars().resolve()}/*"]
    command += ["org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", federation.bootstrap_servers]
    command += ["--command-config", str(tmp_path / "client.properties"), "--topic", federation.topics.rounds]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert asked.stdout.startswith(f"{federation.topics.rounds}:0:"), asked.stderr


def test_a_secure_directory_is_never_opened_plainly(directory: DataDirectory) -> None:
    """Its configuration has no plain listener, and each that there is asks who one is."""
    lines = (directory.broker / "server.properties").read_text().splitlines()
    listeners = next(line for line in lines if line.startswith("listeners=")).removeprefix("listeners=").split(",")
    assert len(listeners) == len(Ports._fields)
    assert not [listener for listener in listeners if listener.startswith("PLAINTEXT")]
    protocols = next(line for line in lines if line.startswith("listener.security.protocol.map="))
    assert "PLAINTEXT" not in protocols
