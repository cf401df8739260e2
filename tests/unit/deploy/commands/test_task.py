import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from deploy.commands import access
from deploy.commands import task as task_verbs
from deploy.commands.task import app
from deploy.federation.keys import ServiceKeys
from fluvial.cli.common import Exit
from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey
from fluvial.registry.acts import OperatorActs
from fluvial.wire.records import Task, TensorLayout
from fluvial.wire.task_file import TaskFile
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


def test_the_terms_of_a_task_are_listed_and_shown(acts: OperatorActs) -> None:
    specification = TaskFile.read(Path("deploy/tasks/heart/task.yaml")).specification()
    acts.register(replace(TASK, specification=specification, layout=(TensorLayout(name="w", shape=(2, 3)),), version=1))
    (listed,) = json.loads(run("list", "--json").stdout)
    terms = {"title": "Heart disease, four hospitals", "rounds": 8, "quorum": 3, "target": 4, "parameters": 6}
    assert (listed.items() >= terms.items(), "unreadable" in listed) == (True, False)
    assert all(str(term) in run("list").stdout for term in terms.values())
    shown = json.loads(run("show", "heart", "--json").stdout)
    assert (shown.items() >= listed.items(), shown["specification"]) == (True, json.loads(specification))


def test_a_task_is_removed_when_its_operator_has_said_so_twice(acts: OperatorActs) -> None:
    assert run("remove", "heart", answer="n\n").exit_code == 1
    unanswered = run("remove", "heart", answer="")
    assert unanswered.exit_code == 1
    assert "Without a question: --yes" in unanswered.stderr
    assert acts.task("heart") == TASK
    assert run("remove", "heart", answer="y\n").exit_code == 0
    gone = run("remove", "heart", "--yes")
    assert (gone.exit_code, "removed, for good" in gone.stderr) == (1, True)


def test_an_operator_sees_what_weakens_before_it_signs(
    acts: OperatorActs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = SigningKey.from_seed(bytes([1]) * 32)
    anna.save(tmp_path / "anna.pem")
    approval = {"operators": 1, "operator_keys": {"anna": anna.public_key.hex()}}
    before, after = (
        replace(TASK, task="lung", version=version, specification=a_file(quorum=quorum, approval=approval))
        for version, quorum in ((0, 3), (1, 2))
    )
    acts.register(before)
    proposal = tmp_path / "terms"
    proposal.write_bytes(acts.propose(after))
    federation, transport = acts._federation, acts._transport
    federation.save(tmp_path / "federation.json")
    monkeypatch.setattr(task_verbs, "connect", lambda *_: transport)
    monkeypatch.setattr(transport, "close", lambda: None)
    where = ("--federation", str(tmp_path / "federation.json"), "--key", str(tmp_path / "anna.pem"))
    assert run("register", str(proposal)).exit_code == 1
    stranger = run("approve", str(proposal), "--name", "ben", *where)
    assert (stranger.exit_code, "not the key of the operator 'ben'" in stranger.stderr) == (2, True)
    declined = run("approve", str(proposal), "--name", "anna", *where, answer="n\n")
    assert (declined.exit_code, "quorum (weaker)" in declined.stdout) == (1, True)
    signed = run("approve", str(proposal), "--name", "anna", *where, "--yes")
    assert (signed.exit_code, "signed by anna; 0 are missing" in signed.stdout) == (0, True)
    assert run("register", str(proposal)).exit_code == 0
    assert acts.task("lung") == after


def a_file(**changes: Any) -> str:
    content = {
        "task": "lung",
        "title": "Lungs",
        "model": {"architecture": "none"},
        "rounds": 1,
        "quorum": 1,
        "target": 3,
        "deadline_seconds": 5,
        "limits": {"max_abs": 1.0, "max_weight": 10},
    }
    return TaskFile.model_validate({**content, **changes}).specification()


@pytest.mark.parametrize("days", ["nan", "inf", "1e300", "0"])
@pytest.mark.parametrize(
    ("verbs", "words"), [(app, ("token", "anna")), (access.app, ("grant", "anna", "--out", "nowhere"))]
)
def test_what_no_calendar_holds_is_wrong_usage(verbs: typer.Typer, words: tuple[str, ...], days: str) -> None:
    result = CliRunner().invoke(verbs, [*words, "--valid-days", days])
    assert result.exit_code == Exit.USAGE
    assert "--valid-days" in result.output


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"epochs": 2, "proximal_mu": 0.1}, ""),
        ({"learnig_rate": 0.1}, "unknown training parameters: learnig_rate"),
        ({"proximal_mu": "0,1"}, "training parameters do not fit"),
        ({"trainer": "own.code:train", "anything": 1}, ""),
    ],
)
def test_what_the_built_in_trainer_could_not_follow_is_noted_when_a_task_is_created(
    training: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    package = {"package": {"name": "own"}} if "trainer" in training else {}
    task_verbs.note_training(TaskFile.model_validate_json(a_file(training=training, **package)))
    noted = " ".join(capsys.readouterr().err.split())
    assert (said in noted) if said else not noted
