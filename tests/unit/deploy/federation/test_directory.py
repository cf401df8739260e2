"""What a data directory says of the stack in it."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.federation.directory import DEFAULT, DataDirectory, StackState
from deploy.machine.errors import NotRunning, StackError
from deploy.machine.processes import ProcessIdentity
from fluvial.wire.topic_policy import TopicPolicy


def this_process() -> ProcessIdentity:
    found = ProcessIdentity.find("supervisor", os.getpid())
    assert found is not None
    return found


def state(**changes: object) -> StackState:
    running = StackState(
        phase="running", supervisor=this_process(), processes=(this_process(),), rest_url="http://here"
    )
    return replace(running, **changes)  # type: ignore[arg-type]


def test_the_state_of_a_stack_comes_back(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.write_state(state(restarts=3))
    assert directory.state() == state(restarts=3)
    assert directory.running().rest_url == "http://here"


def test_nothing_runs_in_a_new_directory(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="fluvial up"):
        DataDirectory(tmp_path).running()
    with pytest.raises(NotRunning, match="fluvial up"):
        DataDirectory(tmp_path).federation()


def test_a_stack_that_still_starts_does_not_run(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.write_state(state(phase="starting"))
    with pytest.raises(NotRunning, match="starting"):
        directory.running()


def test_another_process_with_the_same_id_is_not_the_supervisor(tmp_path: Path) -> None:
    former = replace(this_process(), started=this_process().started - 3600)
    directory = DataDirectory(tmp_path)
    directory.write_state(state(supervisor=former))
    with pytest.raises(NotRunning, match="no stack runs"):
        directory.running()


def test_task_managers_are_wanted_until_the_stack_ends(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert directory.wanted_task_managers() == 0
    directory.want_task_managers(3)
    assert directory.wanted_task_managers() == 3
    directory.remove_state()
    assert directory.wanted_task_managers() == 0


def test_a_data_directory_is_named_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataDirectory(DEFAULT).option == ""
    odd = DataDirectory(tmp_path / "it's mine #1")
    assert shlex.split(odd.option) == ["--data-dir", str(odd.root)]
    with pytest.raises(NotRunning) as raised:
        odd.running()
    assert odd.option in str(raised.value)


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert DataDirectory(Path("~/data")).root == tmp_path / "data"


@pytest.mark.parametrize("name", ["a\\b", "a:b", "a\nb", "a\udc80b"])
def test_what_flink_would_take_for_another_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="Choose another one"):
        DataDirectory(tmp_path / name)


def test_what_is_decided_about_topics_stays_and_changes_between_two_starts_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    assert directory.topic_policy() == TopicPolicy()
    decided = TopicPolicy(retention_days={"updates": 14})
    directory.decide_topics(decided)
    assert DataDirectory(tmp_path / "data").topic_policy() == decided
    directory.write_state(state())
    with pytest.raises(StackError, match="fluvial down"):
        directory.decide_topics(TopicPolicy())
    assert directory.topic_policy() == decided


@pytest.mark.parametrize(
    "content",
    ["", "junk", "[]", "{}", "null", "-5", '{"supervisor": 1, "processes": []}', '{"supervisor": {}, "processes": []}']
    + ['{"supervisor": {"role": "a", "pid": 1, "started": 1}, "processes": [], "phase": "running", "newer": 1}'],
)
def test_a_state_that_is_damaged_or_of_another_release_is_named(tmp_path: Path, content: str) -> None:
    """As a full disk or a power failure leaves it, and a downgrade."""
    (tmp_path / "stack.json").write_text(content)
    directory = DataDirectory(tmp_path)
    for ask in (directory.state, directory.running, lambda: directory.decide_topics(TopicPolicy())):
        with pytest.raises(StackError, match=r"stack\.json does not say what runs here"):
            ask()


def test_a_damaged_wish_for_task_managers_is_none(tmp_path: Path) -> None:
    (tmp_path / "task-managers").write_text("junk")
    assert DataDirectory(tmp_path).wanted_task_managers() == 0
