"""A task's code: built in or of its package, with an error for each way in which a user may get it wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fluvial.edge.errors import TrainingFailed
from fluvial.edge.packages import Examples, Packages
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.packages.packages_world import TASK, task_file, write

TRAINING = {"epochs": 1, "batch_size": 2, "learning_rate": 0.1}


def code(folder: Path, **changes: Any) -> TaskCode:
    return TaskCode.of(task_file(**changes), Packages([folder]))


def model(builder: str = "chest_xray.model:net", **fields: Any) -> dict[str, Any]:
    return {"builder": builder, "parameters": {"inputs": 2}, **fields}


def test_a_package_gives_module_data_loss_and_metrics(tmp_path: Path) -> None:
    folder = write(tmp_path)
    np.savez(tmp_path / "1.npz", inputs=np.eye(3, dtype=np.float32), targets=np.array([0, 1, 0]))
    metrics = ["accuracy", "chest_xray.own:spread"]
    found = code(folder, loss="chest_xray.own:loss", evaluation={"metrics": metrics})
    state = found.state()
    assert [tensor.shape for tensor in state.layout] == [(2, 3), (2,)]
    assert found.initial().tobytes() == found.initial().tobytes()
    examples = found.participant_examples(tmp_path, 1)
    trained = found.train(state, found.initial(), examples, TRAINING, 3)
    assert trained is not None
    assert trained[1] == 3
    assert np.abs(trained[0]).max() > 0
    assert float(found.loss(torch.tensor([[0.0, 2.0]]), torch.tensor([1]))) == 1
    assert found.metrics["chest_xray.own:spread"](np.array([1.0, 4.0]), np.zeros(2)) == 3.0
    evaluation = found.evaluation_examples()
    assert evaluation is not None
    assert evaluation.groups["site"][1] == ("north", "south")


def test_the_seed_fixes_what_the_builder_draws_and_leaves_the_process_alone(tmp_path: Path) -> None:
    folder = write(tmp_path)
    first = code(folder, model=model(seed=1)).initial()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    assert code(folder, model=model(seed=1)).initial().tobytes() == first.tobytes()
    assert torch.rand(1) == expected
    assert code(folder, model=model(seed=2)).initial().tobytes() != first.tobytes()


def test_weights_of_the_package_are_what_the_task_starts_from(tmp_path: Path) -> None:
    folder = write(tmp_path)
    save_file({"weight": torch.full((2, 3), 0.5)}, folder / "init.safetensors")
    assert code(folder, model=model(weights="init.safetensors")).initial()[:6].tolist() == [0.5] * 6
    save_file({"weights": torch.zeros(2)}, folder / "init.safetensors")
    with pytest.raises(ValueError, match=r"init\.safetensors has a tensor weights, and the module's state does not"):
        code(folder, model=model(weights="init.safetensors")).state()
    save_file({"weight": torch.zeros(2)}, folder / "init.safetensors")
    with pytest.raises(ValueError, match=r"weight in shape \[2\], the module in \[2, 3\]"):
        code(folder, model=model(weights="init.safetensors")).state()
    for wrong in (b"", b"\x80\x04pickle", b"\xff" * 40, (12).to_bytes(8, "little") + b'{"weight":1}'):
        (folder / "init.safetensors").write_bytes(wrong)
        with pytest.raises(ValueError, match="safetensors"):
            code(folder, model=model(weights="init.safetensors")).state()
    with pytest.raises(ValueError, match=r"has no file gone\.safetensors"):
        code(folder, model=model(weights="gone.safetensors")).state()


@pytest.mark.parametrize(
    ("builder", "parameters", "why"),
    [
        ("chest_xray.gone:net", {"inputs": 2}, r"has no module chest_xray\.gone"),
        ("chest_xray.model:gone", {"inputs": 2}, "has no gone"),
        ("chest_xray.model:not_callable", {}, "is int, which cannot be called"),
        ("chest_xray.model:net", {"width": 2}, "makes no module: TypeError"),
        ("chest_xray.model:broken", {"inputs": 2}, "makes no module: KeyError"),
        ("chest_xray.model:nothing", {"inputs": 2}, "makes NoneType, which is no torch module"),
    ],
)
def test_a_builder_that_makes_no_module_is_named(
    tmp_path: Path, builder: str, parameters: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        code(write(tmp_path), model={"builder": builder, "parameters": parameters}).state()
    assert builder.partition(":")[2] in str(raised.value)


@pytest.mark.parametrize(
    ("loader", "why"),
    [
        ("chest_xray.data:empty", "the loader chest_xray.data:empty yields nothing"),
        ("chest_xray.data:fails", "the loader chest_xray.data:fails fails: FileNotFoundError: no scans in"),
        ("chest_xray.own:loss", "the loader chest_xray.own:loss fails"),
    ],
)
def test_a_loader_that_gives_no_examples_is_named(tmp_path: Path, loader: str, why: str) -> None:
    data = {"participant": loader, "evaluation": "chest_xray.data:evaluation"}
    with pytest.raises(ValueError, match=why):
        code(write(tmp_path), data=data).participant_examples(tmp_path, 0)


def test_a_trainer_of_the_tasks_own_trains_the_module_and_may_sit_out(tmp_path: Path) -> None:
    folder = write(tmp_path)
    found = code(folder, training={"trainer": "chest_xray.own:fit"})
    state, base = found.state(), found.initial()
    examples = found.evaluation_examples()
    assert examples is not None
    trained = found.train(state, base, examples, {"step": 0.25, "trainer": "ignored"}, 1)
    assert trained is not None
    np.testing.assert_allclose(trained[0], 0.25, rtol=1e-5)
    assert trained[1] == 3
    rests = code(folder, training={"trainer": "chest_xray.own:rests"})
    assert rests.train(state, base, examples, {}, 1) is None
    with pytest.raises(TrainingFailed, match="not all finite"):
        found.train(state, base, examples, {"step": float("nan")}, 1)
    wrong = code(folder, training={"trainer": "chest_xray.model:Nets"})
    with pytest.raises(ValueError, match=r"trainer chest_xray\.model:Nets fails: TypeError"):
        wrong.train(state, base, examples, {}, 1)


@pytest.mark.parametrize(
    ("inputs", "targets", "why"),
    [
        (np.zeros((3, 5), np.float32), np.array([0, 1, 1]), r"inputs of shape \[5\] .*RuntimeError: .*shapes cannot"),
        (np.zeros((3, 3), np.uint8), np.array([0, 1, 1]), r"inputs of shape \[3\] \(uint8\).*RuntimeError: .*dtype"),
    ],
)
def test_examples_that_model_and_loss_cannot_use_are_told_as_such(
    tmp_path: Path, inputs: np.ndarray, targets: np.ndarray, why: str
) -> None:
    found = code(write(tmp_path))
    examples = Examples(inputs=inputs, targets=targets)
    with pytest.raises(ValueError, match=f"model and the loss of the task scans fail on the examples.*{why}"):
        found.train(found.state(), found.initial(), examples, TRAINING, 1)


def test_a_base_that_does_not_travel_must_be_the_one_of_the_task(tmp_path: Path) -> None:
    folder = write(tmp_path)
    fields = {"train": ["bias"], "seed": 1}
    digest = code(folder, model=model(**fields)).state().fixed_digest()
    code(folder, model=model(**fields, base_sha256=digest)).state()
    with pytest.raises(ValueError, match=r"ship them with the package, as model\.weights"):
        code(folder, model=model(**{**fields, "seed": 2}, base_sha256=digest)).state()


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        ("3", None),
        ("np.int64(3)", None),
        ("np.array(3)", None),
        ("torch.tensor(3)", None),
        ("True", "not True"),
        ("np.True_", "not "),
        ("torch.tensor(True)", "not tensor"),
        ("3.0", "not 3.0"),
        ("np.array(3.0)", "not array"),
        ("torch.tensor(3.0)", "not tensor"),
        ("torch.ones(2)", "not tensor"),
        ("-1", "not -1"),
        ("np.int64(-1)", "not np"),
    ],
)
def test_a_trainer_counts_its_examples_with_python_numpy_or_torch(tmp_path: Path, weight: str, why: str | None) -> None:
    fit = f"import numpy as np\nimport torch\n\ndef fit(module, examples, training, seed):\n    return {weight}\n"
    found = code(write(tmp_path, own=fit), training={"trainer": "chest_xray.own:fit"})
    examples = Examples(inputs=np.eye(3, dtype=np.float32), targets=np.array([0, 1, 1]))
    if why is None:
        trained = found.train(found.state(), found.initial(), examples, {}, 1)
        assert trained is not None
        assert (trained[1], type(trained[1])) == (3, int)
        return
    with pytest.raises(ValueError, match=f"must return the number of examples, or None, {why}"):
        found.train(found.state(), found.initial(), examples, {}, 1)


ENDS = "import sys\n\ndef net(inputs):\n    sys.exit(0)\n"


def test_code_that_ends_the_process_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="makes no module: SystemExit: 0"):
        code(write(tmp_path, model=ENDS)).state()
    loads = "def load(data, index):\n    raise SystemExit(0)\n"
    with pytest.raises(ValueError, match=r"the loader chest_xray\.data:load fails: SystemExit: 0"):
        code(write(tmp_path, model="", data=loads)).participant_examples(tmp_path, 0)
    fit = "def fit(module, examples, training, seed):\n    quit()\n"
    model_, data = (tmp_path / "chest-xray" / name for name in ("model.py", "data.py"))
    model_.unlink()
    data.unlink()
    found = code(write(tmp_path, own=fit), training={"trainer": "chest_xray.own:fit"})
    examples = Examples(inputs=np.eye(3, dtype=np.float32), targets=np.array([0, 1, 1]))
    with pytest.raises(ValueError, match=r"the trainer chest_xray\.own:fit fails: SystemExit"):
        found.train(found.state(), found.initial(), examples, {}, 1)


DRAWS = """
import random
import numpy as np
import torch
from torch import nn

def net(inputs):
    print("building")
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    layer = nn.Linear(inputs, 2)
    nn.init.constant_(layer.weight, random.random() + np.random.rand())
    return layer

def load(data, index):
    rows = np.random.rand(40, 2)
    random.shuffle(order := list(range(40)))
    return rows[order], np.arange(40) % 2
"""


def test_whatever_a_package_draws_follows_from_the_seed_and_its_settings_stay_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = code(write(tmp_path, model=DRAWS), data={"participant": "chest_xray.model:load"}, evaluation=None)
    assert found.initial().tobytes() == found.initial().tobytes()
    first, again = (found.participant_examples(tmp_path, 0).arrays()["inputs"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert capsys.readouterr() == ("", "building\n" * 2)
    trained = found.train(found.state(), found.initial(), found.participant_examples(tmp_path, 0), TRAINING, 1)
    assert trained is not None
    assert trained[0].any()


@pytest.mark.parametrize(
    "named",
    ["/etc/private.safetensors", "../private.safetensors", "a/../../b", r"\\host\share\x", "C:/x", r"..\x"],
)
def test_a_tasks_operator_names_no_file_elsewhere_on_a_strangers_machine(named: str) -> None:
    evaluation = {"data": named, "metrics": ["accuracy"]}
    fields = {
        name: TASK[name] for name in ("task", "title", "rounds", "quorum", "target", "deadline_seconds", "limits")
    }
    built_in = {"architecture": "logistic_regression", "parameters": {"inputs": 2, "classes": 2}}
    wanted = TaskFile.model_validate({**fields, "model": built_in, "evaluation": evaluation})
    with pytest.raises(ValueError, match="lies elsewhere"):
        TaskCode.of(wanted).evaluation_examples()
    with pytest.raises(ValueError, match="there is no data"):  # the operator's own jobs look where it says
        TaskCode.of(wanted, root=Path("nowhere")).evaluation_examples()
