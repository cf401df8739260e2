"""Candidates scored on a canary set."""

import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.metrics.classification import cross_entropy
from fluvial.edge.training.architectures import build
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.surroundings import drawing_from
from models.evaluation.scoring import LARGEST_LOSS, CandidateScorer, cosine

MODELS = {
    "convolutional": ({"image_size": 12, "classes": 4, "channels": 4, "hidden": 8}, (1, 12, 12)),
    "multilayer_perceptron": ({"inputs": 10, "classes": 4, "hidden": 16, "layers": 2}, (10,)),
}
TARGETS = np.arange(60) % 3  # the model has a fourth class, of which the set has nobody


@pytest.fixture(params=sorted(MODELS), scope="module")
def case(request):
    parameters, shape = MODELS[request.param]
    random = np.random.default_rng(5)
    inputs = random.normal(size=(60, *shape)).astype(np.float32)
    with drawing_from(5):  # not of every network does a step of this size lower the loss
        module = build(request.param, parameters).eval()
    model = ModuleState(module).flatten().copy()
    deltas = [(0.1 * random.normal(size=model.size)).astype(np.float32) for _ in range(5)]
    state = ModuleState(build(request.param, parameters))
    return CandidateScorer(state, inputs, TARGETS, device="cpu"), module, inputs, model, deltas


def test_a_score_is_that_of_the_model_with_the_update_run_example_by_example(case):
    scorer, module, inputs, model, deltas = case
    _, step = scorer.base(model)
    scores = scorer.score(model, deltas, step)
    for delta, score in zip(deltas, scores, strict=True):
        ModuleState(module).load(model + delta)
        with torch.no_grad():
            logits = torch.cat([module(torch.from_numpy(inputs[i : i + 1])) for i in range(len(inputs))]).numpy()
        assert score.loss == pytest.approx(cross_entropy(logits, TARGETS), rel=1e-5)
        answers = logits.argmax(axis=1)
        assert score.recall == {label: (answers[label == TARGETS] == label).mean() for label in range(3)}
        assert score.cosine == cosine(delta, step)


@pytest.mark.parametrize("chunk", [2, 3, 8])
def test_stacked_candidates_have_the_loops_logits(case, chunk):
    scorer, _, _, model, deltas = case
    torch.testing.assert_close(scorer.logits(model, deltas, chunk), scorer.logits(model, deltas, 1), atol=1e-4, rtol=0)


def test_a_score_does_not_depend_on_who_else_is_scored(case):
    scorer, _, _, model, deltas = case
    _, step = scorer.base(model)
    assert scorer.score(model, deltas, step)[3] == scorer.score(model, [deltas[3]], step)[0]
    assert scorer.chunk == 1


def test_the_canary_sets_own_step_lowers_its_loss(case):
    scorer, module, inputs, model, _ = case
    base, step = scorer.base(model)
    (better, worse) = scorer.score(model, [0.01 * step, -0.01 * step], step)
    assert better.loss < base.loss < worse.loss
    assert better.cosine == pytest.approx(1.0)
    assert worse.cosine == pytest.approx(-1.0)
    ModuleState(module).load(model)
    logits = module(torch.from_numpy(inputs))
    gradients = torch.autograd.grad(nn.functional.cross_entropy(logits, torch.from_numpy(TARGETS)), module.parameters())
    np.testing.assert_allclose(step, -torch.cat([g.reshape(-1) for g in gradients]).numpy(), atol=1e-6)


def test_a_candidate_that_overflows_has_the_largest_loss(case):
    scorer, _, _, model, deltas = case
    _, step = scorer.base(model)
    (score,) = scorer.score(model, [np.full_like(deltas[0], 1e38)], step)
    assert score.loss == LARGEST_LOSS


def test_what_does_not_fit_is_refused(case):
    scorer, _, inputs, model, deltas = case
    _, step = scorer.base(model)
    assert scorer.score(model, [], step) == []
    with pytest.raises(ValueError, match="parameters"):
        scorer.score(model, [deltas[0][:-1]], step)
    with pytest.raises(ValueError, match="elements"):
        scorer.base(model[:-1])
    with pytest.raises(ValueError, match="does not fit"):
        CandidateScorer(ModuleState(nn.Linear(99, 4)), inputs, TARGETS, device="cpu")
    few = np.random.default_rng(6).normal(size=(60, 10)).astype(np.float32)
    with pytest.raises(ValueError, match="classes that the model does not have"):
        CandidateScorer(ModuleState(nn.Linear(10, 2)), few, TARGETS, device="cpu")
    with pytest.raises(ValueError, match="has float64"):
        CandidateScorer(ModuleState(nn.Linear(10, 4).double()), few, TARGETS, device="cpu")


def test_statistics_that_travel_are_part_of_a_candidate():
    module = nn.Sequential(nn.Linear(10, 6), nn.BatchNorm1d(6), nn.Linear(6, 4))
    state = ModuleState(module)
    names = [tensor.name for tensor in state.layout]
    assert "1.running_mean" in names
    few = np.random.default_rng(6).normal(size=(60, 10)).astype(np.float32)
    scorer = CandidateScorer(state, few, TARGETS, device="cpu")
    model = state.flatten()
    base, step = scorer.base(model)
    start = sum(int(np.prod(tensor.shape)) for tensor in state.layout[: names.index("1.running_mean")])
    assert not step[start : start + 6].any()
    shifted = np.zeros_like(model)
    shifted[start : start + 6] = 5.0
    (score,) = scorer.score(model, [shifted], step)
    assert score.loss != base.loss


def test_the_cosine_of_nothing_is_zero():
    assert cosine(np.zeros(3, np.float32), np.ones(3, np.float32)) == 0.0
    assert cosine(np.full(3, 1e30, np.float32), np.full(3, 1e30, np.float32)) == pytest.approx(1.0)
