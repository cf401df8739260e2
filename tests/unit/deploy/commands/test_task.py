import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.commands import task as task_verbs
from deploy.commands.task import app
from deploy.federation.keys import ServiceKeys
from fluvial.identity.brokers import Brokers
from fluvial.registry.acts import OperatorActs
from fluvial.wire.records import Task
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


def test_a_name_that_can_never_enrol_gets_no_token(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["token", "St. Mary's", "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "1 to 128 of" in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


TASK = Task(
    task="heart",
    specification="no task file",
    layout=(),
    base_version=0,
    base_digest=bytes(32),
    base_chunks=(),
    created_ms=1,
)


@pytest.fixture
def acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OperatorActs:
    keys = ServiceKeys.load_or_make(tmp_path)
    federation = keys.federation(Brokers(bootstrap_servers="none:1"), topic_prefix="x.", partitions=1)
    made = OperatorActs(MemoryTransport({federation.topics.registry: 1}), federation, keys.operator)
    made.register(TASK)
    monkeypatch.setattr(task_verbs, "acting", lambda _: nullcontext(made))
    return made


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments], input=answer)


def test_a_task_whose_file_cannot_be_read_is_listed_shown_and_halted(acts: OperatorActs) -> None:
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["status"], "JSON" in listed["unreadable"]) == ("RUNNING", True)
    assert "heart" in run("list").stdout
    assert json.loads(run("show", "heart", "--json").stdout)["specification"] == "no task file"
    assert run("pause", "heart", "--reason", "wrong labels").exit_code == 0
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["status"], listed["reason"]) == ("PAUSED", "wrong labels")
    assert run("resume", "heart").exit_code == run("finish", "heart").exit_code == 0
    again = run("finish", "heart")
    assert (again.exit_code, "finished by its operator already" in again.stderr) == (1, True)


def test_a_task_is_removed_when_its_operator_has_said_so_twice(acts: OperatorActs) -> None:
    assert run("remove", "heart", answer="n\n").exit_code == 1
    assert acts.task("heart") == TASK
    assert run("remove", "heart", answer="y\n").exit_code == 0
    gone = run("remove", "heart", "--yes")
    assert (gone.exit_code, "removed, for good" in gone.stderr) == (1, True)
