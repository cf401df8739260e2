"""The embedded stack: it comes up, heals, keeps its data, and leaves nothing behind, whatever ends it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from deploy.acts.tasks import create_task
from deploy.cluster.rest import RestClient
from deploy.federation.directory import DataDirectory
from deploy.jobs import submission
from deploy.jobs.code import PACKAGES
from deploy.jobs.submission import LocalJob, Submission, submit_to_session
from deploy.local.stack import Stack, running_stack
from deploy.machine.errors import StackError
from deploy.machine.ports import is_listening
from fluvial.identity.envelope import unseal
from fluvial.identity.vouching import public_form
from fluvial.kafka import connect
from fluvial.registry.acts import ActRefused, OperatorActs
from fluvial.wire.records import EnrolmentToken, ModelManifest
from fluvial.wire.task_file import TaskFile
from tests.system.sockets import listening, reachable_from_elsewhere

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CHECKOUT = Path(__file__).resolve().parents[2]
FLUVIAL = [sys.executable, "-c", "from fluvial.cli.main import run; run()"]
SUPERVISOR = [sys.executable, "-m", "deploy.local.supervisor"]
TASK = """
task: toy
title: A model of ten parameters
model: {architecture: logistic_regression, parameters: {inputs: 4, classes: 2}, seed: 1}
rounds: 1
quorum: 1
target: 2
deadline_seconds: 5
chunk_elements: 4
limits: {max_abs: 10, max_weight: 1000}
agreement: {name: toy-terms, text: Be good.}
"""


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 150.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def processes_of(root: Path) -> list[str]:
    """Command lines of all processes on this machine that name the directory, or run in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "pid"]):
        words = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        if process.info["pid"] != os.getpid() and any(str(root) in word for word in words):
            found.append(" ".join(words)[:300])
    return found


def run_fluvial(*arguments: str, timeout_seconds: float = 180.0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [*FLUVIAL, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout_seconds)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A data directory of which nothing may run at the end."""
    yield tmp_path / "data"
    left = processes_of(tmp_path)
    subprocess.run([*FLUVIAL, "down", "--data-dir", str(tmp_path / "data")], capture_output=True, timeout=60)
    assert left == []


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker alone, in this process, for the tests that mind nobody else's topics."""
    root = tmp_path_factory.mktemp("stack") / "data"
    with running_stack(root, partitions=2) as running:
        yield running
    assert processes_of(root) == []


def test_up_status_down_and_up_again_in_a_directory_of_any_name(tmp_path: Path) -> None:
    """With the same data, and with nothing left behind, even by a supervisor that is killed."""
    root = tmp_path / "mes données, #1! (été 100%) ~x" / ("long" * 40)
    data_dir = ("--data-dir", str(root))
    task_file = tmp_path / "toy.yaml"
    task_file.write_text(TASK)
    try:
        assert run_fluvial("status", *data_dir).returncode == 1
        up = run_fluvial("up", *data_dir, "--partitions", "2")
        assert up.returncode == 0, up.stderr
        (hint,) = [line for line in up.stdout.splitlines() if line.startswith("next:")]
        assert shlex.split(hint)[-2:] == list(data_dir)
        again = run_fluvial("up", *data_dir)
        assert again.returncode == 1
        assert "fluvial down" in again.stderr

        assert run_fluvial("task", "create", str(task_file), *data_dir).returncode == 0
        first = json.loads(run_fluvial("status", "--json", *data_dir).stdout)
        roles = sorted(process["role"] for process in first["processes"])
        assert roles == ["broker", "job-manager", "task-manager"]
        ends = {topic["name"]: topic["end_offsets"] for topic in first["topics"]}
        assert ends["fluvial.registry"] == [2]
        assert len(ends["fluvial.model-blobs"]) == 2
        assert sum(ends["fluvial.model-blobs"]) == 3
        supervisor = DataDirectory(root).running().supervisor.pid
        assert reachable_from_elsewhere(supervisor) == {}
        expected = {first["broker"]["bootstrap_servers"], first["flink"]["url"].removeprefix("http://")}
        assert {int(address.rpartition(":")[2]) for address in expected} < listening(supervisor).keys()

        submitted = run_fluvial("submit", "audit", *data_dir)
        assert submitted.returncode == 0, submitted.stderr
        directory = DataDirectory(root)
        assert list(directory.checkpoints.glob("audit/*/chk-*/_metadata")), "checkpoints lie elsewhere"
        with LocalJob(directory, Submission(stages=("validation",))) as job:
            job.wait_until_running()

        down = run_fluvial("down", *data_dir)
        assert down.returncode == 0, down.stderr
        assert processes_of(tmp_path) == []
        assert not is_listening(int(first["broker"]["bootstrap_servers"].rpartition(":")[2]))
        assert run_fluvial("down", *data_dir).returncode == 1

        assert run_fluvial("up", *data_dir, "--partitions", "2", "--task-managers", "0").returncode == 0
        second = json.loads(run_fluvial("status", "--json", *data_dir).stdout)
        assert second["flink"] is None
        ends = {topic["name"]: topic["end_offsets"] for topic in second["topics"]}
        assert ends["fluvial.registry"] == [2]
        assert sum(ends["fluvial.model-blobs"]) == 3
        listed = json.loads(run_fluvial("task", "list", "--json", *data_dir).stdout)
        assert [task["task"] for task in listed] == ["toy"]

        os.kill(directory.running().supervisor.pid, signal.SIGKILL)
        wait_until(lambda: processes_of(tmp_path) == [])
        assert "cleaned up" in run_fluvial("down", *data_dir).stderr
        assert directory.state() is None
        assert (root / "broker" / "log" / "meta.properties").exists()
        found = sorted(path.name for path in tmp_path.iterdir())
        assert found == [root.parent.name, task_file.name], "something lies outside"
    finally:
        run_fluvial("down", *data_dir)


def test_two_stacks_at_once(root: Path, tmp_path: Path) -> None:
    with Stack(root) as one, Stack(tmp_path / "other") as other:
        assert one.broker.bootstrap_servers != other.broker.bootstrap_servers
        with pytest.raises(StackError, match="runs already"):
            Stack(root).start()


def test_a_broker_whose_folder_cannot_be_made_says_why(root: Path) -> None:
    stack = Stack(root)
    stack.directory.make()
    stack.broker.directory.mkdir()
    (stack.broker.directory / "log").write_text("a file in the place of a folder")
    with pytest.raises(StackError, match=r"(?s)directory could not be formatted.*broker\.log"):
        stack.start()
    assert processes_of(root) == []


def test_a_temporary_directory_goes_with_its_stack() -> None:
    with running_stack() as stack:
        root = stack.directory.root
        assert (root / "federation.json").exists()
    assert not root.exists()
    assert processes_of(root) == []


@pytest.mark.parametrize(
    ("number", "seconds"),
    [(signal.SIGINT, 0.8), (signal.SIGINT, 2.5), (signal.SIGTERM, 2.5), (signal.SIGINT, 5.0)],
    ids=lambda value: getattr(value, "name", f"{value}s"),
)
def test_interrupted_while_it_starts(root: Path, number: signal.Signals, seconds: float) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    supervisor = subprocess.Popen([*SUPERVISOR, str(root)], stdout=subprocess.PIPE, text=True, env=environment)
    time.sleep(seconds)
    supervisor.send_signal(number)
    supervisor.send_signal(number)
    supervisor.communicate(timeout=60)
    assert processes_of(root) == []
    assert DataDirectory(root).state() is None


def test_what_dies_is_started_again_and_jobs_go_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_stack(root, task_managers=1, partitions=2) as stack:
        directory, cluster = stack.directory, stack.cluster
        assert cluster is not None
        job = submit_to_session(directory, Submission(stages=("audit",), name="log"))
        rest = RestClient(directory.running().rest_url)
        with pytest.raises(StackError, match="runs already"):
            submit_to_session(directory, Submission(stages=("audit",), name="log"))

        assert len(cluster.task_manager_pids) == 1  # the one that runs the job
        cluster.kill_task_manager()
        wait_until(lambda: rest.last_restart_ms(job) > 0 and rest.job_state(job) == "RUNNING")
        num_checkpoints = rest.num_checkpoints(job)
        stack.broker.kill()
        wait_until(lambda: stack.broker.pid is not None and rest.num_checkpoints(job) > num_checkpoints + 2)
        assert directory.running().restarts == 2

        with pytest.raises(StackError, match=r"the stage audit is held by the job log on .*--take-over"):
            submit_to_session(directory, Submission(stages=("audit", "validation"), name="another"))
        rest.cancel(job)
        # What is submitted again runs its own code: the TaskManager, which has the former one's modules, ends for it.
        monkeypatch.setattr(submission, "CHECKOUT", another_checkout(tmp_path / "another"))
        former = cluster.task_manager_pids
        job = submit_to_session(directory, Submission(stages=("audit",), name="log"))
        assert set(former).isdisjoint(cluster.task_manager_pids)
        logs = directory.cluster / "log"
        wait_until(lambda: any(MARK in log.read_text(errors="replace") for log in logs.iterdir()), 20.0)
        assert '"restore_from": null' in (directory.jobs / "log.json").read_text()
        taking = Submission(stages=("audit", "validation"), name="another", take_over=True)
        second = submit_to_session(directory, taking)
        assert len(cluster.task_manager_pids) == 2
        wait_until(lambda: rest.job_state(job) == "FAILED")
        assert "held by the job another on" in rest.last_failure(job)
        assert rest.job_state(second) == "RUNNING"


MARK = "this is another checkout"


def another_checkout(folder: Path) -> Path:
    """The code of jobs, and an operator's module of it says whose it is."""
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "pipelines" / "audit" / "operators.py").open("a") as code:
        code.write(f"\n_log.warning({MARK!r})\n")
    return folder


@pytest.mark.soak
def test_a_benchmark_listens_on_loopback_alone_from_its_beginning_to_its_end() -> None:
    """Looked at as often as that goes: broker, Java, Python's workers, and whatever comes and goes between them."""
    command = [*FLUVIAL, "bench", "audit", "--count", "1000", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    seen: dict[int, str] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as bench:
        while bench.poll() is None:
            assert reachable_from_elsewhere(bench.pid) == {}
            seen |= listening(bench.pid)
            time.sleep(0.2)
        out, err = bench.communicate()
    assert bench.returncode == 0, err
    assert json.loads(out)["events"] == 1_000
    assert len(seen) >= 6, "broker, controller, Flink's REST, BLOB server, RPC, Py4J"


@pytest.mark.soak
def test_a_local_job_starts_from_the_log_after_a_kill(stack: Stack) -> None:
    directory = stack.directory
    both = Submission(stages=("validation", "audit"))
    job = LocalJob(directory, both)
    job.start()
    job.wait_until_running()
    with pytest.raises(StackError, match="runs already"):
        LocalJob(directory, both).start()
    assert job.pid is not None
    assert reachable_from_elsewhere(job.pid) == {}  # Flink's REST, BLOB server and RPC, Py4J's two ends, Beam's pool
    assert len(listening(job.pid)) >= 4
    assert reachable_from_elsewhere(stack.broker.pid or 0) == {}
    assert len(listening(stack.broker.pid or 0)) == 2  # the controller, too
    job.kill()
    assert [line for line in processes_of(directory.root) if "pipelines.main" in line] == []
    assert list(directory.checkpoints.glob(f"{job.name}/*/chk-*/_metadata")), "it had checkpoints"
    with LocalJob(directory, both) as again:
        again.wait_until_running()
        assert '"restore_from": null' in (directory.jobs / f"{job.name}.json").read_text()
        with pytest.raises(StackError, match=r"the stage audit is held by the job validation-audit on .*--take-over"):
            LocalJob(directory, Submission(stages=("audit",))).start()


def test_a_task_is_created_with_a_first_model_that_everyone_can_verify(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "toy.yaml"
    file.write_text(TASK)
    task_file, federation = TaskFile.read(file), stack.federation
    created = create_task(federation, stack.keys, task_file)
    with pytest.raises(ActRefused, match="exists already"):
        create_task(federation, stack.keys, task_file)

    with closing(connect(federation.brokers, "test")) as transport:
        reader = transport.read(federation.topics.models)
        messages = []
        while not reader.caught_up():
            messages += reader.poll(1.0)
        reader.close()
        assert [message.key for message in messages] == [b"toy/0"]
        operator, scope = bytes.fromhex(federation.operator_key), federation.topics.scope
        manifest = unseal(messages[0].value or b"", ModelManifest, operator, scope)
        chunks = transport.fetch(
            federation.topics.model_blobs, [(chunk.partition, chunk.offset) for chunk in manifest.chunks]
        )
    assert manifest == created.manifest
    assert [hashlib.sha256(chunk).digest() for chunk in chunks] == [chunk.sha256 for chunk in manifest.chunks]
    assert sum(map(len, chunks)) == 4 * manifest.num_elements == 40
    assert created.task.base_digest == manifest.model_digest


def test_of_a_token_only_a_digest_of_its_public_half_is_published(stack: Stack) -> None:
    federation = stack.federation
    with closing(connect(federation.brokers, "test")) as transport:
        acts = OperatorActs(transport, federation, stack.keys.operator)
        token = acts.issue_tokens(["alice"])["alice"]
        reader = transport.read(federation.topics.registry)
        messages = []
        while not reader.caught_up():
            messages += reader.poll(1.0)
        reader.close()
    (published,) = [message for message in messages if (message.key or b"").startswith(b"token/")]
    assert published.key == b"token/" + hashlib.sha256(public_form(token).encode()).hexdigest().encode()
    operator, scope = bytes.fromhex(federation.operator_key), federation.topics.scope
    record = unseal(published.value or b"", EnrolmentToken, operator, scope)
    assert record.participant == "alice"
    assert all(token.encode() not in (message.value or b"") for message in messages)
