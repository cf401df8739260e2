"""Examples of a task's package, and what stays with each of its participants."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from deploy.commands.init import FILES, TEMPLATES
from deploy.simulation import learning
from deploy.simulation.federation import SimulatedFederation
from deploy.simulation.learning import LearningPlan, plan_of
from deploy.simulation.workers import WorkerEnded
from fluvial.edge.training.task_code import TaskCode
from tests.unit.deploy.simulation.small_task import a_plan


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """That of the template image, as `fluvial init clinic` writes it."""
    folder = tmp_path / "clinic"
    folder.mkdir()
    for file in FILES:
        text = (TEMPLATES / "image" / file).read_text()
        (folder / file).write_text(text.replace("MODULE", "clinic").replace("NAME", "clinic"))
    return folder


def changed(folder: Path, file: str, before: str, after: str) -> None:
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after))


def test_a_loader_tells_its_participants_by_having_none_of_the_next(package: Path) -> None:
    opened = plan_of(package).open()
    assert opened.num_participants == opened.num_groups == 8
    assert "ValueError: there are 8 sites" in opened.loader_ended
    assert [opened.num_examples(number) for number in range(8)] == [40 + 10 * number for number in range(8)]
    assert plan_of(package, num_participants=16).open().num_participants == 16
    assert plan_of(package, num_participants=4).task_file.target == 3


def test_a_loader_that_never_ends_is_told_apart(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MOST_PARTICIPANTS", 20)
    changed(package, "data.py", "if index >= SITES:", "if False:")
    with pytest.raises(ValueError, match=r"clinic\.data:load has examples of more than 20 participants"):
        plan_of(package).open()


def test_a_loader_that_fails_at_once_says_why(package: Path) -> None:
    changed(package, "data.py", "if index >= SITES:", "if True:")
    with pytest.raises(ValueError, match=r"the loader clinic\.data:load fails: ValueError: there are 8 sites"):
        plan_of(package).open()


def test_what_stays_with_a_participant_is_its_own(package: Path) -> None:
    """With the last layer at home, nobody begins with what another has left in the module."""
    changed(package, "task.yaml", "  seed: 1", '  seed: 1\n  local: ["8.*"]')

    def digests(plan: LearningPlan, workers: int) -> list[str]:
        return [row.model_digest for row in SimulatedFederation(plan, workers=workers).run()]

    plan = plan_of(package, num_rounds=2)
    assert digests(plan, 1) == digests(plan, 2)
    assert all(not tensor.name.startswith("8.") for tensor in plan.open().layout)


def test_a_worker_that_is_killed_ends_the_simulation_with_a_reason(tmp_path: Path) -> None:
    federation = SimulatedFederation(a_plan(tmp_path, rounds=1000), workers=2)
    rounds = federation.run()
    next(rounds)
    pool = federation._workers._pool
    assert pool is not None
    os.kill(next(iter(pool._processes)), signal.SIGKILL)
    with pytest.raises(WorkerEnded, match="a process that trains has ended"):
        list(rounds)


def test_what_a_task_holds_out_is_not_trained_on_here_either(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, participants=None, held_out={"metrics": ["accuracy"], "fraction": 0.5})
    rows = np.random.default_rng(1).normal(size=(480, 5)).astype(np.float32)
    numbers = np.arange(480)
    save_file({"inputs": rows, "targets": numbers % 2, "group": numbers % 8}, plan.data)
    opened, code = plan.open(), TaskCode.of(plan.task_file)
    for participant in range(8):
        trained_on = learning._of_rows(opened._examples, opened._rows[participant])
        expected = code.participant_examples(plan.data, participant)
        assert 10 < opened.num_examples(participant) < 50
        np.testing.assert_array_equal(trained_on.arrays()["inputs"], expected.arrays()["inputs"])


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ('raise OSError("bad sector")', r"of participant 3 the loader clinic\.data:load fails: OSError: bad sector"),
        ("return None", r"of participant 3 the loader clinic\.data:load does not give examples: it returned NoneType"),
        ("return np.full((4, 8, 8), np.nan), np.zeros(4)", "of participant 3 .* not all finite"),
    ],
)
def test_a_loader_that_fails_in_the_middle_does_not_leave_out_who_comes_after(
    package: Path, fault: str, why: str
) -> None:
    changed(package, "data.py", "if index >= SITES:", f"if index == 3:\n        {fault}\n    if index >= SITES:")
    with pytest.raises(ValueError, match=why):
        plan_of(package).open()


def test_a_task_without_rounds_says_so(package: Path) -> None:
    changed(package, "task.yaml", "rounds: ", "rounds: 0 #")
    with pytest.raises(ValueError, match="has no rounds: say how many with --rounds"):
        plan_of(package)
    assert plan_of(package, num_rounds=2).task_file.rounds == 2


def test_a_worker_that_cannot_open_the_task_says_why(package: Path) -> None:
    federation = SimulatedFederation(plan_of(package), workers=2)
    changed(package, "data.py", "if index >= SITES:", "if index > SITES:")
    with pytest.raises(
        ValueError, match=r"a process that trains cannot open the task: the task clinic pins the package"
    ):
        list(federation.run())
