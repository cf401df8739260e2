"""Every path that can run on an accelerator, beside the one on the processor. Where there is no accelerator the twin
runs on the processor too, through the same code.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch

from fluvial.edge.packages.examples import Examples
from fluvial.edge.sessions import open_session
from fluvial.edge.training.architectures import build
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.predictions import predict
from fluvial.edge.training.trainer import train
from fluvial.inference import nvml
from fluvial.inference.comparison import answers_of
from fluvial.inference.processor import processor_class
from models.acceleration import RECIPES, Subject, parse_recipe
from models.aggregation.coordinates import reduce_rows
from models.aggregation.coordinates_torch import on_device
from models.aggregation.reduction import MeanAroundMedian, Median, TrimmedMean
from models.evaluation.inference import Evaluator
from models.evaluation.scoring import CHUNKS, CandidateScorer, cosine
from tests.gpu.nets import NETS

CUDA = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
)
DEVICES = ["cpu", CUDA]
ARCHITECTURE = "convolutional"
PARAMETERS = {"image_size": 28, "classes": 10, "channels": 8, "hidden": 48}
RANDOM = np.random.default_rng(11)
INPUTS = RANDOM.normal(size=(256, 1, 28, 28)).astype(np.float32)
TARGETS = RANDOM.integers(0, 10, 256)
EXAMPLES = Examples(inputs=INPUTS, targets=TARGETS)
REDUCTIONS = [Median(), TrimmedMean(num_trimmed=2), MeanAroundMedian(num_kept=5)]


@pytest.fixture(scope="module")
def module():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return build(ARCHITECTURE, PARAMETERS).eval()


@pytest.fixture(scope="module")
def deltas(module):
    size = ModuleState(module).flatten().size
    return [(0.02 * RANDOM.normal(size=size)).astype(np.float32) for _ in range(16)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda reduction: type(reduction).__name__)
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_reductions_have_the_processors_bits(device, reduction, kind):
    rows = (RANDOM.normal(size=(9, 10_000)) * 1000).astype(kind)
    np.testing.assert_array_equal(on_device(device)(rows, reduction, 3.0), reduce_rows(rows, reduction, 3.0))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("chunk", [1, *CHUNKS])
def test_candidates_have_the_loops_logits_whatever_is_stacked(device, chunk, module, deltas):
    model = ModuleState(module).flatten().copy()
    reference = CandidateScorer(ModuleState(build(ARCHITECTURE, PARAMETERS)), INPUTS, TARGETS, device="cpu").logits(
        model, deltas, 1
    )
    scorer = CandidateScorer(ModuleState(build(ARCHITECTURE, PARAMETERS)), INPUTS, TARGETS, device=device)
    torch.testing.assert_close(scorer.logits(model, deltas, chunk).cpu(), reference, atol=5e-3, rtol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_candidates_have_the_processors_scores(device, module, deltas):
    model = ModuleState(module).flatten().copy()
    expected, found = [], []
    for scores, where in ((expected, "cpu"), (found, device)):
        scorer = CandidateScorer(ModuleState(build(ARCHITECTURE, PARAMETERS)), INPUTS, TARGETS, device=where)
        _, step = scorer.base(model)
        scores += scorer.score(model, deltas, step)
    for one, other in zip(expected, found, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-3)
        assert other.cosine == pytest.approx(one.cosine, abs=1e-3)
        assert other.recall == pytest.approx(one.recall, abs=0.1)


@pytest.mark.parametrize("device", DEVICES)
def test_evaluation_measures_what_the_processor_measures(device, module):
    model = ModuleState(module).flatten().copy()
    metrics = [
        Evaluator(ModuleState(build(ARCHITECTURE, PARAMETERS)), EXAMPLES, ["accuracy", "loss"], device=where).measure(
            model
        )
        for where in ("cpu", device)
    ]
    assert metrics[1]["loss"] == pytest.approx(metrics[0]["loss"], rel=1e-3)
    assert metrics[1]["accuracy"] == pytest.approx(metrics[0]["accuracy"], abs=0.01)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_variants_answer_as_on_the_processor(device, recipe, module):
    data = parse_recipe(recipe, {}).build(Subject(module=module, calibration=INPUTS)).data
    own = partial(deepcopy, module)
    expected = open_session(data, module=own).run_in_batches(INPUTS)
    try:
        session = open_session(data, module=own, device=device)
    except ValueError as error:
        pytest.skip(str(error))
    same = answers_of(session.run_in_batches(INPUTS)) == answers_of(expected)
    assert same.mean() > (0.9 if recipe.startswith("int") else 0.98)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("recipe", "least_same"), [("torch_fp32", 0.99), ("torch_bf16", 0.95), ("torch_fp16", 0.98)])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_torchs_variants_keep_the_answers_of_the_model(device, recipe, least_same, net):
    inputs = net.inputs(128)
    data = parse_recipe(recipe, {}).build(Subject(module=net.make(), calibration=inputs)).data
    session = open_session(data, module=net.make, device=device)
    expected = predict(net.make(), net.examples(128))
    outputs = session.run_in_batches(inputs, 50)
    assert (answers_of(outputs) == answers_of(expected)).mean() >= least_same
    assert session.runtime.startswith("torch ")
    assert f" {device} " in session.runtime


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("recipe", ["torch_fp32", "torch_bf16"])
def test_a_batch_is_answered_alike_whatever_was_asked_before_and_beside_it(device, recipe, module):
    """On CUDA the first calls of a size are the module's, later ones a graph's."""
    data = parse_recipe(recipe, {}).build(Subject(module=module, calibration=INPUTS)).data
    session = open_session(data, module=partial(deepcopy, module), device=device)
    parts = [INPUTS[start : start + size] for start, size in ((0, 1), (3, 7), (10, 64), (74, 7), (90, 1))]
    first = [session.run(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(session.run, parts * 20))
    for number, answers in enumerate(again):
        np.testing.assert_allclose(answers, first[number % len(parts)], atol=0.02 if recipe == "torch_bf16" else 2e-3)
    if device == "cuda":
        recorded = session._outputs._recorded
        assert recorded.keys() == {1, 7, 64}
        assert all(call is not session._outputs._call for call in recorded.values()), "nothing was recorded"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_goes_where_the_processor_goes(device, precision, module, deltas):
    config = TrainingConfig(epochs=1, batch_size=64, learning_rate=0.01)
    base = ModuleState(module).flatten().copy()
    expected, _ = train(ModuleState(build(ARCHITECTURE, PARAMETERS)), base, EXAMPLES, config, 5)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        found, _ = train(ModuleState(build(ARCHITECTURE, PARAMETERS)), base, EXAMPLES, config, 5, device=device)
    assert cosine(found, expected) > (0.999 if precision == "float32" else 0.95)


@pytest.mark.parametrize("device", [CUDA])
def test_a_devices_energy_and_class_are_told(device):
    before = nvml.millijoules()
    started = time.monotonic()
    while time.monotonic() < started + 0.5:
        torch.ones(1000, 1000, device=device).sum().item()
    assert processor_class(device).startswith("CUDA_")
    assert nvml.millijoules() > before > 0
