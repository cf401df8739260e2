import sys
from pathlib import Path

import numpy as np
import pytest

from fluvial.edge.trainer import load_trainer, trained, training_request
from tests.unit.fluvial.edge.world import LAYOUT, TASK, World


@pytest.fixture(autouse=True)
def modules_are_found_elsewhere_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer's folder stays on Python's path as long as the process."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_a_request_carries_task_round_and_data(world: World) -> None:
    base_D = np.zeros(1050, np.float32)
    task, round_ = world.publish_task(), world.a_round()
    request = training_request(task, round_, base_D, "alice", Path("data"), 3)
    assert (request.task, request.round, request.index, request.layout) == (TASK, 1, 3, LAYOUT)
    assert request.model["architecture"] == "linear"
    assert request.training == {"epochs": 2}
    assert request.base_D is base_D
    assert request.seed == training_request(task, round_, base_D, "alice", Path("data"), 3).seed
    assert request.seed != training_request(task, round_, base_D, "bob", Path("data"), 3).seed


def test_a_trainer_of_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_training.py").write_text("def train(request):\n    return request\n")
    monkeypatch.chdir(tmp_path)
    assert load_trainer("my_own_training:train")("request") == "request"  # type: ignore[arg-type,comparison-overlap]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "module:function"),
        ("absent_module:train", "no module absent_module"),
        ("json:absent", "no function absent"),
    ],
)
def test_a_trainer_that_is_not_there_is_explained(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_trainer(name)


def test_a_trainer_without_torch_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"fluvial\[torch\]"):
        load_trainer("needs_torch:train")


def test_what_a_trainer_prints_is_apart_from_what_a_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chatty_trainer.py").write_text(
        "print('imported')\ndef train(request):\n    print('epoch 1')\n    return [0.0], 1\n"
    )
    monkeypatch.chdir(tmp_path)
    assert trained(load_trainer("chatty_trainer:train"), None) == ([0.0], 1)  # type: ignore[arg-type, comparison-overlap]
    assert capsys.readouterr() == ("", "imported\nepoch 1\n")


def test_a_trainer_that_would_end_the_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "script_trainer.py").write_text("import sys\nsys.exit(7)\n")
    (tmp_path / "ending_trainer.py").write_text("import sys\ndef train(request):\n    sys.exit(7)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="__name__"):
        load_trainer("script_trainer:train")
    with pytest.raises(ValueError, match="ends the program"):
        trained(load_trainer("ending_trainer:train"), None)  # type: ignore[arg-type]
