import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.aggregation.server_optimizer import SERVER_OPTIMIZERS, ServerOptimizer, parse_server_optimizer
from tests.unit.models.aggregation.reference_optimizers import reference_steps

SPECS = [
    {"name": "momentum", "learning_rate": 0.5, "momentum": 0.8},
    {"name": "adagrad", "learning_rate": 0.3},
    {"name": "adagrad", "learning_rate": 0.3, "beta1": 0.9},
    {"name": "adam", "learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "adaptivity": 0.01},
    {"name": "yogi", "learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "adaptivity": 0.01},
    {"name": "dynamic", "alpha": 0.1},
    {"name": "dynamic", "alpha": 0.1, "participation": 0.25},
]


def optimizer(spec: dict[str, object]) -> ServerOptimizer:
    parsed = parse_server_optimizer(json.dumps(spec))
    assert parsed is not None
    return parsed


def run(spec: dict[str, object], base: NDArray[np.float32], deltas: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    chosen = optimizer(spec)
    moments = chosen.initial_moments(base.size)
    for delta in deltas:
        base, moments = chosen.step(base, delta, moments)
    return base


def test_every_optimizer_is_tested() -> None:
    assert {spec["name"] for spec in SPECS} == set(SERVER_OPTIMIZERS)
    assert all(kind.name == name for name, kind in SERVER_OPTIMIZERS.items())
    assert parse_server_optimizer("") is None


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_steps_are_those_of_the_paper(spec: dict[str, object], seed: int) -> None:
    random = np.random.default_rng(seed)
    base = random.standard_normal(4).astype(np.float32)
    deltas = [random.standard_normal(4) / 10 for _ in range(5)]
    expected = reference_steps(spec, base.tolist(), [delta.tolist() for delta in deltas])
    np.testing.assert_allclose(run(spec, base, deltas), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=20, deadline=None)
@given(delta=arrays(np.float64, 6, elements=st.floats(-1, 1)), cut=st.integers(1, 5))
def test_chunks_are_independent(spec: dict[str, object], delta: NDArray[np.float64], cut: int) -> None:
    base = np.linspace(-1, 1, 6, dtype=np.float32)
    parts = [run(spec, base[part], [delta[part], delta[part]]) for part in (slice(0, cut), slice(cut, 6))]
    assert np.concatenate(parts).tobytes() == run(spec, base, [delta, delta]).tobytes()


@pytest.mark.parametrize("spec", SPECS)
def test_moments_are_float32_of_the_models_size(spec: dict[str, object]) -> None:
    chosen = optimizer(spec)
    initial = chosen.initial_moments(3)
    model, moments = chosen.step(np.zeros(3, np.float32), np.ones(3), initial)
    assert len(chosen.moments) == len(initial) == len(moments)
    assert {values.dtype for values in (model, *initial, *moments)} == {np.dtype(np.float32)}
    assert {values.shape for values in (model, *initial, *moments)} == {(3,)}


def test_momentum_without_momentum_adds_the_aggregate() -> None:
    base, delta = np.ones(3, np.float32), np.array([0.5, 1e-9, -3.0])
    model = run({"name": "momentum", "momentum": 0.0}, base, [delta, delta])
    once = (base + delta).astype(np.float32)
    assert model.tobytes() == (once + delta).astype(np.float32).tobytes()


@pytest.mark.parametrize("spec", SPECS)
def test_what_does_not_fit_is_refused(spec: dict[str, object]) -> None:
    chosen = optimizer(spec)
    base, delta, moments = np.zeros(3, np.float32), np.zeros(3), chosen.initial_moments(3)
    for wrong in ((base[:2], delta, moments), (base, delta[:2], moments), (base, delta, moments[1:])):
        with pytest.raises(ValueError, match="one shape"):
            chosen.step(*wrong)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"name": "sgd"}',
        '{"name": "adam", "beta2": 1.0}',
        '{"name": "adam", "beta1": -0.1}',
        '{"name": "yogi", "beta2": 1.0}',
        '{"name": "adagrad", "adaptivity": 0}',
        '{"name": "adam", "adaptivity": 1e300}',
        '{"name": "adagrad", "learning_rate": "fast"}',
        '{"name": "adagrad", "learning_rate": true}',
        '{"name": "adagrad", "learning_rate": 1e999}',
        '{"name": "momentum", "momentum": 1}',
        '{"name": "dynamic"}',
        '{"name": "dynamic", "alpha": 0.1, "participation": 1.5}',
        '{"name": "momentum", "nesterov": true}',
    ],
)
def test_what_is_no_server_optimizer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"optimizer|must be"):
        parse_server_optimizer(text)
