"""`fluvial model get`: what is loaded back gives the same answers, in every format, and the card says what is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from click.testing import Result
from safetensors.torch import load as load_safetensors
from torch import nn

from fluvial.cli import model_export
from fluvial.cli.common import Exit
from fluvial.cli.verbs import app, mount_for
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.export import to_onnx
from fluvial.edge.training.predictions import predict
from tests.unit.fluvial.cli.published_task import MODEL, PublishedTask
from tests.unit.fluvial.cli.runner import invoke
from tests.unit.fluvial.edge.world import TASK

mount_for([])


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedTask:
    monkeypatch.chdir(tmp_path)
    found = PublishedTask(tmp_path)
    monkeypatch.setattr(model_export, "connect", lambda *_: found.world.transport)
    monkeypatch.setattr(found.world.transport, "close", lambda: None)
    return found


def get(*words: str) -> Result:
    return invoke(app, "model", "get", TASK, *words)


def test_torch_reads_the_state_back_without_unpickling_and_answers_alike(published: PublishedTask) -> None:
    assert get("--format", "torch", "--package", "chest-xray").exit_code == 0
    state = torch.load(f"{TASK}-1.pt", weights_only=True)
    module = published.code.module()
    module.load_state_dict(state)
    assert (predict(module, published.examples()) == published.answers()).all()
    assert "num_batches_tracked" in "".join(state), "the whole module, with what does not travel"


def test_onnx_answers_alike_for_any_number_of_examples(published: PublishedTask) -> None:
    assert get("--format", "onnx", "--package", "chest-xray").exit_code == 0
    session = onnxruntime.InferenceSession(f"{TASK}-1.onnx", providers=["CPUExecutionProvider"])
    inputs = published.examples().inputs
    assert isinstance(inputs, dict)
    assert [each.name for each in session.get_inputs()] == ["numbers", "kind"]
    for count in (1, 7, 30):
        (found,) = session.run(["outputs"], {name: array[:count] for name, array in inputs.items()})
        np.testing.assert_allclose(found, published.answers()[:count], rtol=1e-4, atol=1e-5)


def test_safetensors_has_what_travelled(published: PublishedTask) -> None:
    done = get("-o", "m.safetensors", "--json")
    assert done.exit_code == 0, done.output
    tensors = load_safetensors(Path("m.safetensors").read_bytes())
    assert torch.equal(tensors["last.weight"], published.module.last.weight)
    assert json.loads(done.stdout) == {
        "task": TASK,
        "version": 1,
        "model_digest": published.manifest.model_digest.hex(),
        "file": "m.safetensors",
        "card": "m.safetensors.md",
    }


def test_the_card_says_what_is_known_and_names_nobody(published: PublishedTask) -> None:
    published.release()
    assert get().exit_code == 0
    card = Path(f"{TASK}-1.safetensors.md").read_text()
    _, header, body = card.split("---\n", 2)
    read = yaml.safe_load(header)
    assert read["license"] == "apache-2.0"
    assert read["model-index"][0]["results"][0]["metrics"] == [{"type": "auc", "value": 0.8125}]
    for said in (
        "# Scans | of chests",
        published.manifest.model_digest.hex(),
        "| all | 1,203 | 0.8125 |",
        "| site: north | 400 | 0.7500 |",
        "median 0.7100",
        "2 updates of 2 participants, in 1 rounds",
        "| 1 | 1 | 2 of 3 |",
        "| 0 | 0 | the initial model |",
        "> For research only.",
        f"`{TASK}-1.safetensors`",
    ):
        assert said in body, said
    assert "hospital" not in card


def test_cards_of_one_version_in_two_formats_stand_beside_each_other(published: PublishedTask) -> None:
    assert get("-o", "m.safetensors").exit_code == get("-o", "m.bin").exit_code == 0
    first, second = (Path(f"m.{suffix}.md").read_text() for suffix in ("safetensors", "bin"))
    assert "`m.safetensors`" in first
    assert "`m.bin`" in second


def test_a_card_of_a_model_that_nobody_measured_says_so(published: PublishedTask) -> None:
    assert get("--no-card").exit_code == 0
    assert not Path(f"{TASK}-1.safetensors.md").exists()
    assert get().exit_code == 0
    assert "Nothing was measured of it." in Path(f"{TASK}-1.safetensors.md").read_text()


def test_what_travelled_is_had_although_the_tasks_file_cannot_be_read(published: PublishedTask) -> None:
    published.register('{"of": "tomorrow"}', created_ms=2)
    done = get()
    assert done.exit_code == 0, done.output
    assert Path(f"{TASK}-1.safetensors").exists()
    assert not Path(f"{TASK}-1.safetensors.md").exists()
    assert "no card is written" in done.output
    refused = get("--format", "torch")
    assert refused.exit_code == Exit.USAGE
    assert "update fluvial" in refused.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--format", "torch"], "--package"),
        (["--format", "onnx", "--package", "elsewhere"], "elsewhere"),
        (["7"], "has no version 7"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(published: PublishedTask, words: list[str], why: str) -> None:
    done = get(*words)
    assert done.exit_code in (Exit.USAGE, Exit.FAILURE)
    assert why in " ".join(done.output.split())
    assert not list(Path().glob(f"{TASK}-*"))


def test_the_package_must_be_the_one_that_the_task_pins(published: PublishedTask) -> None:
    (published.package / "model.py").write_text(MODEL + "\n# another\n")
    done = get("--format", "torch", "--package", "chest-xray")
    assert done.exit_code != 0
    assert "pins the package" in " ".join(done.output.split())


def test_shapes_come_from_a_participants_data_where_there_is_no_evaluation_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = PublishedTask(tmp_path, evaluation=None, data={"participant": "chest_xray.data:load"})
    monkeypatch.setattr(model_export, "connect", lambda *_: found.world.transport)
    monkeypatch.setattr(found.world.transport, "close", lambda: None)
    words = ["--format", "onnx", "--package", "chest-xray"]
    refused = get(*words)
    assert refused.exit_code == Exit.USAGE
    assert "--data" in refused.output
    assert get(*words, "--data", ".").exit_code == 0
    assert Path(f"{TASK}-1.onnx").stat().st_size > 0


class Output:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


class WithLogits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return Output(self.layer(first) * second)


@pytest.mark.parametrize("by_name", [False, True])
def test_outputs_with_logits_are_exported_too_of_inputs_by_position_and_by_name(by_name: bool) -> None:
    module = WithLogits().eval()
    random = np.random.default_rng(0)
    arrays = random.normal(size=(5, 3)).astype(np.float32), random.normal(size=(5, 1)).astype(np.float32)
    named = dict(zip(("first", "second") if by_name else ("inputs_0", "inputs_1"), arrays, strict=True))
    examples = Examples(inputs=named if by_name else arrays, targets=np.zeros(5))
    session = onnxruntime.InferenceSession(to_onnx(module, examples), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, named)
    np.testing.assert_allclose(found, predict(module, examples), rtol=1e-4, atol=1e-5)
