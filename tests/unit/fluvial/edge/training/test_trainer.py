from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.errors import TrainingFailed
from fluvial.edge.packages import Examples
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.losses import binary_cross_entropy, cross_entropy, mean_squared_error
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.trainer import train

CONFIG = TrainingConfig(epochs=3, batch_size=4, learning_rate=0.1, momentum=0.9)
INPUTS = np.random.default_rng(0).standard_normal((10, 2)).astype(np.float32)
TARGETS = (INPUTS[:, 0] > 0).astype(np.int64)
EXAMPLES = Examples(inputs=INPUTS, targets=TARGETS)


def module() -> nn.Module:
    return nn.Linear(2, 2)


BASE = np.array([0.1, -0.2, 0.3, 0.0, 0.0, 0.1], np.float32)


def delta_of(seed: int, config: TrainingConfig = CONFIG) -> np.ndarray:
    chosen = module()
    return train(ModuleState(chosen), BASE, EXAMPLES, config, seed)[0]


def slow_training(
    seed_order: list[list[int]], config: TrainingConfig, correction: np.ndarray | None = None
) -> np.ndarray:
    """Softmax regression by hand, in float64."""
    correction = np.zeros(6) if correction is None else correction
    weights, bias = BASE[:4].reshape(2, 2).astype(np.float64), BASE[4:].astype(np.float64)
    weights_velocity, bias_velocity = np.zeros_like(weights), np.zeros_like(bias)
    for batch in seed_order:
        logits = INPUTS[batch] @ weights.T + bias
        error = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - np.eye(2)[TARGETS[batch]]
        weights_gradient = error.T @ INPUTS[batch] / len(batch) + config.weight_decay * weights
        bias_gradient = error.mean(axis=0) + config.weight_decay * bias
        pull = config.proximal_mu + config.dynamic_alpha
        weights_gradient += pull * (weights - BASE[:4].reshape(2, 2)) - correction[:4].reshape(2, 2)
        bias_gradient += pull * (bias - BASE[4:]) - correction[4:]
        weights_velocity = config.momentum * weights_velocity + weights_gradient
        bias_velocity = config.momentum * bias_velocity + bias_gradient
        weights, bias = weights - config.learning_rate * weights_velocity, bias - config.learning_rate * bias_velocity
    return np.concatenate([weights.ravel(), bias]) - BASE


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_training_equals_its_twin_by_hand(weight_decay: float) -> None:
    config = replace(CONFIG, batch_size=10, weight_decay=weight_decay)  # one batch an epoch: order plays no part
    np.testing.assert_allclose(delta_of(0, config), slow_training([list(range(10))] * 3, config), rtol=1e-4, atol=1e-6)


def test_the_proximal_term_equals_its_twin_and_holds_back() -> None:
    config = replace(CONFIG, batch_size=10, proximal_mu=2.0)
    delta = delta_of(0, config)
    np.testing.assert_allclose(delta, slow_training([list(range(10))] * 3, config), rtol=1e-4, atol=1e-6)
    assert np.linalg.norm(delta) < np.linalg.norm(delta_of(0, replace(config, proximal_mu=0.0)))


def test_the_dynamic_regulariser_equals_its_twin() -> None:
    config = replace(CONFIG, batch_size=10, dynamic_alpha=0.5)
    correction = np.linspace(-0.2, 0.3, 6).astype(np.float32)
    chosen = module()
    delta, _ = train(ModuleState(chosen), BASE, EXAMPLES, config, 0, correction=correction)
    np.testing.assert_allclose(delta, slow_training([list(range(10))] * 3, config, correction), rtol=1e-4, atol=1e-6)


def test_where_dynamic_training_has_converged_the_correction_is_the_gradient() -> None:
    """The fixed point of FedDyn: what is remembered is the gradient of the participant's own loss."""
    config = replace(CONFIG, epochs=400, batch_size=10, momentum=0.0, dynamic_alpha=1.0)
    chosen, before = module(), np.zeros(6, np.float32)
    delta, _ = train(ModuleState(chosen), BASE, EXAMPLES, config, 0, correction=before)
    logits = INPUTS @ chosen.weight.detach().numpy().T + chosen.bias.detach().numpy()
    error = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - np.eye(2)[TARGETS]
    gradient = np.concatenate([(error.T @ INPUTS / 10).ravel(), error.mean(axis=0)])
    np.testing.assert_allclose(before - config.dynamic_alpha * delta, gradient, atol=1e-4)


def test_correction_and_dynamic_alpha_go_together() -> None:
    chosen = module()
    zeros = np.zeros(6, np.float32)
    with pytest.raises(ValueError, match="neither goes without"):
        train(ModuleState(chosen), BASE, EXAMPLES, CONFIG, 1, correction=zeros)
    with pytest.raises(ValueError, match="neither goes without"):
        train(ModuleState(chosen), BASE, EXAMPLES, replace(CONFIG, dynamic_alpha=0.1), 1)
    with pytest.raises(ValueError, match="elements"):
        train(ModuleState(chosen), BASE, EXAMPLES, replace(CONFIG, dynamic_alpha=0.1), 1, correction=zeros[:5])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    assert delta_of(7).tobytes() == delta_of(7).tobytes()
    assert delta_of(7).tobytes() != delta_of(8).tobytes()


def test_the_delta_leads_from_the_base_to_the_trained_module() -> None:
    chosen = module()
    delta, num_examples = train(ModuleState(chosen), BASE, EXAMPLES, CONFIG, 1)
    assert delta.dtype == np.float32
    assert num_examples == 10
    assert (ModuleState(chosen).flatten() - BASE).tobytes() == delta.tobytes()


def test_progress_is_told_after_each_epoch_and_the_loss_falls() -> None:
    told: list[tuple[int, int, float]] = []
    chosen = module()
    train(ModuleState(chosen), BASE, EXAMPLES, CONFIG, 1, progress=lambda *step: told.append(step))
    assert [(done, total) for done, total, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0][2] > told[2][2] > 0


def test_what_does_not_fit_is_refused() -> None:
    chosen = module()
    with pytest.raises(ValueError, match="elements"):
        train(ModuleState(chosen), BASE[:5], EXAMPLES, CONFIG, 1)
    with pytest.raises(ValueError, match="no examples"):
        train(ModuleState(chosen), BASE, Examples(inputs=INPUTS[:0], targets=TARGETS[:0]), CONFIG, 1)


def test_a_loss_that_is_no_number_fails_the_training_and_says_what_may_help() -> None:
    chosen = nn.Linear(2, 1)
    runaway = replace(CONFIG, epochs=40, learning_rate=1e6)
    examples = Examples(inputs=INPUTS, targets=INPUTS[:, 0])
    with pytest.raises(TrainingFailed, match=r"the loss is (nan|inf) in epoch \d+ of 40: a smaller learning_rate"):
        train(ModuleState(chosen), BASE[:3], examples, runaway, 1, loss=mean_squared_error)


def test_cuda_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="cuda was asked for, but torch finds none"):
        train(ModuleState(module()), BASE, EXAMPLES, CONFIG, 1, device="cuda")


def test_dropout_follows_from_the_seed_and_leaves_the_process_alone() -> None:
    def delta(seed: int) -> bytes:
        chosen = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
        torch.rand(3)
        return train(ModuleState(chosen), BASE, EXAMPLES, replace(CONFIG, batch_size=10), seed)[0].tobytes()

    torch.manual_seed(9)
    first, drawn = delta(1), torch.rand(1)
    torch.manual_seed(9)
    assert delta(1) == first
    assert torch.rand(1) == drawn
    assert delta(2) != first


def test_what_is_frozen_does_not_change_and_what_is_personal_does_not_travel() -> None:
    chosen = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    state = ModuleState(chosen, train=["2.*", "0.bias"], local=["2.bias"])
    assert [tensor.name for tensor in state.layout] == ["0.bias", "2.weight"]
    frozen = {name: tensor.clone() for name, tensor in chosen.state_dict().items() if name[:2] in ("1.",)}
    weight, personal = chosen[0].weight.detach().clone(), state.personal()
    base = state.flatten()
    delta, _ = train(state, base, EXAMPLES, CONFIG, 1)
    assert np.abs(delta).min() > 0
    assert torch.equal(chosen[0].weight, weight)
    assert all(torch.equal(chosen.state_dict()[name], tensor) for name, tensor in frozen.items())
    assert state.personal().tobytes() != personal.tobytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_of_other_dtypes_train_and_their_delta_leads_there(dtype: torch.dtype) -> None:
    state = ModuleState(module().to(dtype))
    base = state.flatten()
    delta, _ = train(state, base, EXAMPLES, CONFIG, 1)
    assert np.abs(delta).max() > 0.01
    trained = [parameter.detach().clone() for parameter in state.module.parameters()]
    state.load(base + delta)
    for parameter, expected in zip(state.module.parameters(), trained, strict=True):
        assert parameter.dtype == dtype
        torch.testing.assert_close(parameter.detach(), expected)


def test_a_last_batch_of_one_example_is_left_out_where_batches_are_normalised() -> None:
    chosen = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    state = ModuleState(chosen)
    told: list[float] = []
    nine = Examples(inputs=INPUTS[:9], targets=TARGETS[:9])
    train(state, state.flatten(), nine, CONFIG, 1, progress=lambda *step: told.append(step[2]))  # batches of 4, 4 and 1
    assert len(told) == 3
    assert all(0 < loss < 10 for loss in told)


def test_training_again_and_again_leaves_nothing_behind_for_gpus_that_nobody_uses() -> None:
    delta_of(0)
    before = len(torch.cuda._queued_calls)  # what torch does when a GPU is first used
    for seed in range(3):
        delta_of(seed)
    assert len(torch.cuda._queued_calls) == before


def normalised(width: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


def test_one_example_alone_and_batches_of_one_cannot_be_normalised_and_that_is_said() -> None:
    one = Examples(inputs=INPUTS[:1], targets=TARGETS[:1])
    for examples, config in ((one, CONFIG), (EXAMPLES, replace(CONFIG, batch_size=1))):
        state = ModuleState(normalised())
        with pytest.raises(TrainingFailed, match="a batch of one example cannot be normalised"):
            train(state, state.flatten(), examples, config, 1)


def test_one_image_can_be_normalised_over_its_pixels() -> None:
    chosen = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    state = ModuleState(chosen)
    one = Examples(inputs=np.ones((1, 1, 2, 2), np.float32), targets=TARGETS[:1])
    delta, weight = train(state, state.flatten(), one, replace(CONFIG, batch_size=1), 1)
    assert weight == 1
    assert delta.any()


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        (TARGETS + 1, "targets are classes from 1 to 2, but the model has 2 classes: they count from 0"),
        (TARGETS - 1, "targets are classes from -1 to 0"),
        (TARGETS + 0.5, "no numbers of classes"),
        (np.eye(2)[TARGETS], r"its target has shape \[2\]: cross_entropy needs the number of a class, of shape \[\]"),
    ],
)
def test_targets_that_are_no_classes_of_the_model_are_refused(targets: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        train(ModuleState(module()), BASE, Examples(inputs=INPUTS, targets=targets), CONFIG, 1)


def test_a_column_of_classes_is_classes_and_of_ignored_ones_nothing_counts() -> None:
    column = Examples(inputs=INPUTS, targets=TARGETS[:, None].astype(np.float32))
    assert train(ModuleState(module()), BASE, column, CONFIG, 7)[0].tobytes() == delta_of(7).tobytes()
    some = Examples(inputs=INPUTS, targets=np.where(np.arange(10) < 5, TARGETS, -100))
    assert train(ModuleState(module()), BASE, some, replace(CONFIG, batch_size=10), 7)[0].any()


def test_binary_targets_beyond_0_and_1_are_refused() -> None:
    examples = Examples(inputs=INPUTS, targets=TARGETS + 1)
    with pytest.raises(ValueError, match="targets are 0 or 1 for binary_cross_entropy, not 1 to 2"):
        train(ModuleState(nn.Linear(2, 1)), BASE[:3], examples, CONFIG, 1, loss=binary_cross_entropy)


class Returning(nn.Linear):
    """A module that returns something else than predictions."""

    def __init__(self, returned: object) -> None:
        super().__init__(2, 2)
        self.returned = returned

    def forward(self, inputs: torch.Tensor) -> object:  # type: ignore[override]
        return self.returned


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ((torch.ones(2), 1), "the module returns tuple, not a tensor"),
        ({"out": torch.ones(2)}, "the module returns dict, not a tensor"),
        (None, "the module returns NoneType"),
        (torch.ones(4), r"predicts \[4\]: cross_entropy needs a logit for each class"),
    ],
)
def test_what_a_module_may_not_return_is_named(returned: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        train(ModuleState(Returning(returned)), BASE, EXAMPLES, CONFIG, 1)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda loss: loss.item(), "must give a tensor, the mean of its batch, not float"),
        (lambda loss: None, "not NoneType"),
        (lambda loss: torch.stack([loss, loss]), r"must give one value, the mean of its batch, not \[2\]"),
    ],
)
def test_what_a_loss_may_not_give_is_named(value: Callable[[torch.Tensor], Any], why: str) -> None:
    def own(predictions: torch.Tensor, targets: torch.Tensor) -> Any:
        return value(cross_entropy(predictions, targets))

    with pytest.raises(ValueError, match=why):
        train(ModuleState(module()), BASE, EXAMPLES, CONFIG, 1, loss=own)


class Replacing(nn.Linear):
    """Overwrites its parameters by others in each call."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.weight = nn.Parameter(self.weight.detach() * 1.0)
        return super().forward(inputs)


class Growing(nn.Linear):
    """Makes a layer when it is called first."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if not hasattr(self, "head"):
            self.head = nn.Linear(2, 2)
        head: nn.Linear = self.head
        return head(super().forward(inputs))


class Losing(nn.Linear):
    """A buffer of it comes to nothing."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen = None
        return super().forward(inputs)


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        (Replacing(2, 2), "the module replaces its parameters while it runs"),
        (Growing(2, 2), r"head\.bias was not there and is float32\[2\]"),
        (Losing(), r"seen was float32\[3\] and is not there"),
    ],
)
def test_a_module_that_does_not_keep_what_it_was_built_of_is_refused(chosen: nn.Module, why: str) -> None:
    state = ModuleState(chosen)
    with pytest.raises(ValueError, match=why):
        train(state, state.flatten(), EXAMPLES, CONFIG, 1)


def test_inputs_have_the_dtype_of_the_first_weight_and_not_of_a_scale_beside_it() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2, dtype=torch.float16))
            self.layer = nn.Linear(2, 2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.layer(inputs) * self.scale.float()

    state = ModuleState(Scaled())
    delta, _ = train(state, state.flatten(), Examples(inputs=INPUTS.astype(np.float64), targets=TARGETS), CONFIG, 1)
    assert np.abs(delta).min() > 0
