import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from fluvial.wire.task_file import TaskFile

MINIMAL: dict[str, Any] = {
    "task": "digits",
    "title": "Handwritten digits",
    "model": {"architecture": "convolutional"},
    "rounds": 5,
    "quorum": 3,
    "target": 4,
    "deadline_seconds": 30,
    "limits": {"max_abs": 1.0, "max_weight": 1000},
}


def _read(tmp_path: Path, content: dict[str, Any]) -> TaskFile:
    path = tmp_path / "task.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return TaskFile.read(path)


def test_a_minimal_task_has_the_defaults(tmp_path: Path) -> None:
    task = _read(tmp_path, MINIMAL)
    assert (task.rule.name, task.encodings, task.chunk_elements, task.agreement) == (
        "weighted_mean",
        ["float32"],
        262_144,
        None,
    )


def test_the_json_in_the_registry_is_the_same_task(tmp_path: Path) -> None:
    content = {
        **MINIMAL,
        "rule": {"name": "multi_krum", "num_byzantine": 1},
        "agreement": {"name": "study", "text": "The terms.\n"},
        "training": {"epochs": 2, "schedule": "cosine"},
        "evaluation": {"data": "evaluation.safetensors", "metrics": ["accuracy", "loss"]},
    }
    task = _read(tmp_path, content)
    assert TaskFile.model_validate_json(task.model_dump_json()) == task
    assert json.loads(task.model_dump_json())["rule"] == {"name": "multi_krum", "num_byzantine": 1}
    assert json.loads(task.model_dump_json())["training"]["schedule"] == "cosine"


PACKAGED: dict[str, Any] = {
    **MINIMAL,
    "package": {"name": "chest-xray"},
    "model": {
        "builder": "chest_xray.model:net",
        "parameters": {"layers": [2, 2], "name": "small"},
        "weights": "init.safetensors",
        "train": ["head.*"],
        "local": ["head.bias"],
        "statistics": "frozen",
    },
    "data": {"participant": "chest_xray.data:load", "evaluation": "chest_xray.data:evaluation"},
    "loss": "chest_xray.own:loss",
    "training": {"trainer": "chest_xray.own:fit", "epochs": 2},
    "evaluation": {"metrics": ["accuracy", "recall", "chest_xray.own:dice"]},
}


def test_a_task_may_name_code_of_its_package(tmp_path: Path) -> None:
    task = _read(tmp_path, PACKAGED)
    assert set(task.references()) == {
        *("chest_xray.model:net", "chest_xray.data:load", "chest_xray.data:evaluation", "chest_xray.own:loss"),
        *("chest_xray.own:fit", "chest_xray.own:dice"),
    }
    assert task.training.trainer == "chest_xray.own:fit"
    assert TaskFile.model_validate_json(task.specification()) == task


def test_what_is_signed_of_a_task_without_a_package_says_nothing_of_packages(tmp_path: Path) -> None:
    task = _read(tmp_path, {**MINIMAL, "evaluation": {"data": "x", "metrics": ["loss"]}})
    signed = json.loads(task.specification())
    assert not {"package", "data", "loss"} & set(signed)
    assert set(signed["model"]) == {"architecture", "parameters", "seed"}
    assert TaskFile.model_validate_json(task.specification()) == task


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(MINIMAL), encoding="utf-8")
    assert TaskFile.read(path) == _read(tmp_path, MINIMAL)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"task": "Two words"}, "task"),
        ({"task": "../registry"}, "task"),
        ({"rounds": -1}, "rounds"),
        ({"quorum": 0}, "quorum"),
        ({"quorum": 5}, "quorum 5 is above target 4"),
        ({"participation": {"min_examples": 0}}, "participation.min_examples"),
        ({"held_out": {"fraction": 0.1}}, "held_out needs the metrics"),
        ({"held_out": {"metrics": ["cleverness"]}}, "there are the metrics"),
        ({"held_out": {"metrics": ["loss"], "fraction": 0.6}}, "held_out.fraction"),
        ({"held_out": {"metrics": ["own.metrics:spread"]}}, "so it needs `package"),
        ({"data": {"held_out": "own.data:held_out"}, "package": {"name": "own"}}, "needs `held_out` with its metrics"),
        ({"participation": {"min_examples": 1001}}, "min_examples 1001 is above limits.max_weight 1000"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"deadline_seconds": float("inf")}, "deadline_seconds"),
        ({"limits": {"max_abs": float("inf"), "max_weight": 1}}, "limits.max_abs"),
        ({"limits": {"max_abs": float("nan"), "max_weight": 1}}, "limits.max_abs"),
        ({"limits": {"max_abs": 1.0, "max_weight": 0}}, "limits.max_weight"),
        ({"limits": {"max_abs": 1.0, "max_weight": 1, "max_nrom": 2}}, "limits.max_nrom"),
        ({"encodings": []}, "encodings"),
        ({"encodings": ["float64"]}, "encodings.0: there are the encodings float32, "),
        ({"chunk_elements": 262_145}, "chunk_elements"),
        ({"kept_versions": 1}, "kept_versions"),
        ({"training": {"momentum": 1.0}}, "training.momentum"),
        ({"agreement": {"name": "study", "text": ""}}, "agreement.text"),
        ({"evaluation": {"data": "x", "metrics": ["f1"]}}, "evaluation.metrics.0"),
        ({"window": {"mode": "sliding"}}, "window.mode"),
        ({"window": {"max_staleness": 2}}, "max_staleness is for the modes buffered and tumbling"),
        ({"window": {"mode": "buffered", "max_staleness": 64}}, "window.max_staleness"),
        ({"window": {"mode": "buffered", "grace_seconds": 1}}, "grace_seconds is for synchronous rounds"),
        ({"window": {"mode": "tumbling", "staleness": {"name": "linear"}}}, "window.staleness.name"),
        ({"window": {"mode": "buffered"}, "target": 0}, "target"),
        ({"sampling": {"fraction": 0}}, "sampling.fraction"),
        ({"qourum": 3}, "qourum: there is no such field here"),
        ({"task": "My Task"}, "task: 'My Task' has not the form: small letters, digits"),
        ({"model": {}}, "an architecture, built in, or a builder"),
        ({"model": {"architecture": "convolutional", "builder": "a.b:c"}}, "an architecture, built in, or a builder"),
        ({"model": {"builder": "a.b"}}, "model.builder: 'a.b' has not the form: module:function of the task's package"),
        ({"model": {"builder": "a.b:c"}}, "the task names a.b:c, so it needs `package"),
        ({"model": {"architecture": "x", "weights": "w.safetensors"}}, "the task names w.safetensors, so it needs"),
        ({"model": {"builder": "a.b:c"}, "package": {"name": "chest-xray"}}, "a.b:c is not in the task's package"),
        ({"model": {"architecture": "x", "statistics": "mean"}}, "model.statistics"),
        ({"package": {"name": "a", "digest": "12"}}, "package.digest"),
        ({"loss": "hinge"}, "loss: there are the losses cross_entropy, "),
        ({"loss": "a.b:c"}, "the task names a.b:c, so it needs"),
        ({"training": {"trainer": "fast"}}, "trainer is module:function"),
        ({"training": {"trainer": "a:b"}}, "the task names a:b, so it needs"),
        ({"evaluation": {"metrics": ["accuracy"]}}, "either a file, evaluation.data, or a loader's"),
        ({"data": {"evaluation": "a:b"}, "package": {"name": "a"}}, "data.evaluation needs `evaluation`"),
    ],
)
def test_an_error_names_the_file_and_the_field(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=r"task\.yaml") as error:
        _read(tmp_path, {**MINIMAL, **change})
    assert named in str(error.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rounds.*quorum"):
        _read(tmp_path, {**MINIMAL, "rounds": -1, "quorum": 0})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no task"),
        (b"- a\n- list\n", "holds no task"),
        (b"task: [", "is not YAML"),
        (b"\xff\xfe\xff", "is not YAML"),
        (b"task: a\nrounds: 1\ntask: b\n", "'task' stands twice"),
        (b"limits: {max_abs: 1, max_abs: 2}\n", "'max_abs' stands twice"),
        (b"task: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_task_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"task\.yaml") as error:
        TaskFile.read(path)
    assert said in str(error.value)


PARTIAL: dict[str, Any] = {
    **MINIMAL,
    "rounds": 0,
    "partial": True,
    "limits": {"max_abs": 1.0, "max_weight": 1000, "fraction_bits": 40},
    "chunk_elements": 131_072,
}


def test_a_task_of_a_region_publishes_partial_sums(tmp_path: Path) -> None:
    task = _read(tmp_path, PARTIAL)
    assert (task.partial, task.limits.fraction_bits) == (True, 40)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"limits": {"max_abs": 1.0, "max_weight": 1000}}, "limits.fraction_bits must be given"),
        ({"window": {"mode": "buffered", "max_staleness": 2}}, "window.mode must be synchronous"),
        ({"server_optimizer": {"name": "adam"}}, "server_optimizer belongs to the parent"),
        ({"evaluation": {"data": "x", "metrics": ["loss"]}}, "evaluation belongs to the parent"),
        ({"chunk_elements": 131_073}, "at most 131072"),
    ],
)
def test_what_does_not_fit_a_region_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        _read(tmp_path, {**PARTIAL, **change})


def test_a_parent_needs_chunks_that_hold_sums(tmp_path: Path) -> None:
    parent = {**MINIMAL, "encodings": ["float32", "partial_sum"]}
    with pytest.raises(ValueError, match="at most 131072 are a chunk of 1 MiB"):
        _read(tmp_path, parent)
    assert _read(tmp_path, {**parent, "chunk_elements": 131_072}).encodings == ["float32", "partial_sum"]


NUMBERS = """
task: heart
title: Heart
rounds: 1e3
quorum: 2
target: 4
deadline_seconds: 1E3
model: {architecture: mlp, parameters: {scale: 1e-2}}
limits: {max_abs: 1e-05, max_weight: 1e3}
training: {proximal_mu: 1e-05}
"""


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(NUMBERS, encoding="utf-8")
    task = TaskFile.read(path)
    assert (task.rounds, task.deadline_seconds, task.limits.max_abs, task.limits.max_weight) == (
        1000,
        1000.0,
        1e-05,
        1000,
    )
    assert task.model.parameters == {"scale": 0.01}
    assert task.training.model_dump()["proximal_mu"] == 1e-05


@pytest.mark.parametrize("field", ["rounds", "quorum", "deadline_seconds", "kept_versions"])
@pytest.mark.parametrize("value", [True, False])
def test_truth_is_no_number(tmp_path: Path, field: str, value: bool) -> None:
    with pytest.raises(ValueError, match=f"{field}: must be a number, not {str(value).lower()}"):
        _read(tmp_path, {**MINIMAL, field: value})


def test_truth_is_no_number_in_a_section_either(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"limits\.max_weight: must be a number, not true"):
        _read(tmp_path, {**MINIMAL, "limits": {"max_abs": 1.0, "max_weight": True}})
    assert _read(tmp_path, {**MINIMAL, "partial": False}).partial is False


@pytest.mark.parametrize("name", ["task.json", "task.yaml"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json_is_read_as_json(tmp_path: Path, name: str, mark: bytes) -> None:
    path = tmp_path / name
    content = {**MINIMAL, "training": {"proximal_mu": 0.00001}, "limits": {"max_abs": 1.0, "max_weight": 1000}}
    path.write_bytes(mark + json.dumps(content).replace("1000", "1e3").encode())
    task = TaskFile.read(path)
    assert task.training.model_dump()["proximal_mu"] == 1e-05
    assert task.limits.max_weight == 1000


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
@pytest.mark.parametrize(
    ("section", "field"),
    [
        ("training: {{proximal_mu: {}}}", "training.proximal_mu"),
        ("rule: {{name: clipped, rule: {{name: mean, share: {}}}}}", "rule.rule.share"),
        ("server_optimizer: {{name: adam, beta: [1, {}]}}", "server_optimizer.beta.1"),
        ("model: {{architecture: mlp, parameters: {{scale: {}}}}}", "model.parameters.scale"),
    ],
)
def test_numbers_that_are_not_finite_are_refused_by_name(tmp_path: Path, number: str, section: str, field: str) -> None:
    base = "\n".join(line for line in NUMBERS.splitlines() if not line.startswith(section.partition(":")[0] + ":"))
    path = tmp_path / "task.yaml"
    path.write_text(base + "\n" + section.format(number) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="finite") as error:
        TaskFile.read(path)
    assert field in str(error.value)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize("name", ["task.yaml", "task.json"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("training: " + "[" * 900 + "]" * 900, "nested more than", id="deep lists"),
        pytest.param('{"a":' * 900 + "1" + "}" * 900, "nested more than", id="deep mappings"),
        pytest.param("{" + ", ".join(f'"k{key}": 1' for key in range(10_000)) + "}", "more than 10000", id="many keys"),
        pytest.param(BOMB, "more than 10000", id="aliases"),
        pytest.param("a: &a [*a]", "stands for nothing", id="an alias of itself"),
        pytest.param('{"task": "a", "task": "b"}', "stands twice", id="a key twice"),
        pytest.param("x" * 2_000_000, "bytes", id="large"),
    ],
)
def test_documents_that_would_cost_too_much_are_refused_quickly(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    started = time.thread_time()
    with pytest.raises(ValueError, match=r"task\.") as error:
        TaskFile.read(path)
    assert time.thread_time() - started < 2.0
    if name == "task.yaml" or content.startswith("{"):
        assert said in str(error.value)


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, 10**400])
def test_a_whole_number_of_more_than_64_bits_is_refused_wherever_it_stands(tmp_path: Path, value: int) -> None:
    for field, content in (
        ("model.seed", {"model": {**MINIMAL["model"], "seed": value}}),
        ("training.mu", {"training": {"mu": value}}),
        ("rule.steps", {"rule": {"name": "krum", "steps": value}}),
    ):
        with pytest.raises(ValueError, match=f"{field} must be a finite number of 64 bits"):
            _read(tmp_path, {**MINIMAL, **content})
