"""Variants built again."""

import json
from dataclasses import replace
from functools import cache
from hashlib import sha256

import numpy as np
import pytest
import torch

from fluvial.edge.training.architectures import build
from fluvial.edge.training.module_state import ModuleState
from fluvial.wire.canonical_json import canonical_json
from models.acceleration import Subject, parse_recipe
from models.acceleration.rebuilding import rebuild
from models.acceleration.versions import builder_versions
from tests.unit.pipelines.promotion.builders import a_variant

PARAMETERS = {"inputs": 6, "classes": 2, "hidden": 128}
INPUTS = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def module():
    return build("multilayer_perceptron", PARAMETERS).eval()


@cache
def recorded(module, recipe):
    artefact = parse_recipe(recipe, {}).build(Subject(module=module, calibration=INPUTS))
    variant = replace(
        a_variant(recipe.replace("_", "-")),
        recipe=canonical_json({"recipe": recipe, "parameters": {}}),
        builders=canonical_json(builder_versions()),
        artefact_sha256=artefact.digest,
        deterministic=artefact.deterministic,
    )
    return variant, artefact.data


def again(module, variant, artefact, calibration=INPUTS):
    return rebuild(
        variant,
        artefact,
        state=ModuleState(build("multilayer_perceptron", PARAMETERS)),
        model=ModuleState(module).flatten(),
        calibration=calibration,
    )


def test_a_deterministic_recipe_gives_the_same_bytes(module):
    variant, artefact = recorded(module, "int8_static")
    rebuilt = again(module, variant, artefact)
    assert rebuilt.verified
    assert rebuilt.same_bytes
    assert rebuilt.same_answers == 1.0


def test_other_bytes_of_a_deterministic_recipe_are_not_verified_however_alike_they_answer(module):
    variant, _ = recorded(module, "onnx_fp32")
    _, other = recorded(module, "fp16_storage")
    rebuilt = again(module, replace(variant, artefact_sha256=sha256(other).digest()), other)
    assert rebuilt.same_answers > 0.9
    assert rebuilt.must_be_same_bytes
    assert not rebuilt.verified


def test_a_record_does_not_excuse_itself_from_the_same_bytes(module):
    variant, _ = recorded(module, "onnx_fp32")
    _, other = recorded(module, "fp16_storage")
    lied = replace(variant, artefact_sha256=sha256(other).digest(), deterministic=False)
    assert not again(module, lied, other).verified


@pytest.mark.parametrize("change", [{"builders": '{"onnx":"1.0"}'}])
def test_where_bytes_cannot_be_promised_answers_count(module, change):
    variant, artefact = recorded(module, "onnx_fp32")
    _, other = recorded(module, "fp16_storage")
    good = again(module, replace(variant, artefact_sha256=sha256(other).digest(), **change), other)
    assert (good.verified, good.same_bytes) == (True, False)
    negated = build("multilayer_perceptron", PARAMETERS).eval()
    with torch.no_grad():
        for parameter in negated.parameters():
            parameter.neg_()
    bad = again(negated, replace(variant, **change), artefact)
    assert not bad.verified
    assert bad.other_builders


def test_a_recipe_that_did_not_fit_must_not_fit_again(module):
    variant, artefact = recorded(module, "onnx_fp32")
    failed = replace(variant, recipe=json.dumps({"recipe": "low_rank", "parameters": {"fraction": 2.0}}), failure="no")
    assert again(module, failed, b"").verified
    assert not again(module, replace(variant, failure="no"), b"").verified
    assert not again(module, replace(failed, failure=""), artefact).verified


def test_bytes_that_are_not_the_recorded_ones_are_refused(module):
    variant, artefact = recorded(module, "onnx_fp32")
    with pytest.raises(ValueError, match="not those that its record names"):
        again(module, variant, artefact + b"x")
