"""Local training with torch: from the round's model to a delta.

The same module, base, data, configuration and seed give the same bytes on the same machine. For that, and because many
participants may share one, torch is set to one thread for the whole process and stays so.
"""

from collections.abc import Callable, Sequence
from math import isfinite, nan

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fluvial.edge.contribution import finite_delta
from fluvial.edge.errors import TrainingFailed
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.batches import Batches, call
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.device import choose_device, placed
from fluvial.edge.training.losses import Loss, check_targets, cross_entropy, mean_of
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.surroundings import drawing_from

Tensors = tuple[torch.Tensor, ...]
Progress = Callable[[int, int, float], None]
"""Called after each epoch: epochs done, epochs in all, mean loss of the epoch."""


def train(
    state: ModuleState,
    base: NDArray[np.float32],
    examples: Examples,
    config: TrainingConfig,
    seed: int,
    *,
    loss: Loss = cross_entropy,
    progress: Progress | None = None,
    correction: NDArray[np.float32] | None = None,
    device: str = "cpu",
) -> tuple[NDArray[np.float32], int]:
    """Train from `base` and return (delta float32[D], number of examples).

    state: of the task's module, which is overwritten, and is the trained model afterwards. loss: of predictions and
    targets of a batch, its mean. Examples are drawn in an order that follows from the seed, and so does what the module
    draws (dropout). A last batch of one example is left out where the module normalises over batches. correction:
    float32[D], for a configuration with dynamic_alpha, taken off the gradient in each step. Raises ValueError for data,
    a module, a correction or a device that do not fit, TrainingFailed where the loss or the weights are no longer
    finite, and where there is one example and the module cannot be trained on one.
    """
    if not len(examples):
        raise ValueError("there are no examples to train on")
    if (correction is None) == (config.dynamic_alpha > 0):
        raise ValueError("a correction belongs to dynamic_alpha, and neither goes without the other")
    device = choose_device(device)
    torch.set_num_threads(1)
    module = placed(state.module, device)
    shared, parameters = state.shared_parameters(), tuple(state.trained_parameters())
    corrections: list[torch.Tensor] = []
    if correction is not None:
        state.load(correction)
        corrections = [parameter.detach().clone() for parameter in shared]
    state.load(base)
    anchors = [parameter.detach().clone() for parameter in shared] if config.pull else []
    order = torch.Generator().manual_seed(seed)
    batches = Batches(examples, module, device)
    velocities = tuple(torch.zeros_like(parameter) for parameter in parameters)
    state.train_mode()
    needs_two = any(isinstance(layer, _BatchNorm) and layer.training for layer in module.modules())
    always_one = min(len(batches), config.batch_size) == 1
    checked = False
    with drawing_from(seed, device):
        for epoch in range(config.epochs):
            losses = torch.zeros((), device=device)
            counted = 0
            for batch in torch.split(torch.randperm(len(batches), generator=order), config.batch_size):
                if len(batch) == 1 and needs_two and not always_one:
                    continue
                counted += len(batch)
                try:
                    predictions = call(module, batches.inputs(batch))
                except ValueError as error:
                    if len(batch) == 1 and needs_two:
                        raise TrainingFailed(f"a batch of one example cannot be normalised: {error}") from error
                    raise
                if not checked:
                    check_targets(loss, predictions, examples.targets)
                    checked = True
                of_batch = mean_of(loss, predictions, batches.targets[batch])
                gradients = _gradients(of_batch, parameters)
                losses += of_batch.detach() * len(batch)
                gradients = _pulled(parameters, gradients, anchors, corrections, config.pull)
                _step(parameters, velocities, gradients, config)
            mean = float(losses) / counted if counted else nan
            if not isfinite(mean):
                raise TrainingFailed(
                    f"the loss is {mean} in epoch {epoch + 1} of {config.epochs}: a smaller learning_rate than "
                    f"{config.learning_rate:g} may help"
                )
            if progress is not None:
                progress(epoch + 1, config.epochs, mean)
    return trained_delta(state, base, parameters), len(batches)


def trained_delta(
    state: ModuleState, base: NDArray[np.float32], trained: Sequence[nn.Parameter] = ()
) -> NDArray[np.float32]:
    """The delta float32[D] from the base to the module as it is. trained: the parameters that were. Raises
    TrainingFailed for one that is not finite, and for weights that do not travel any more, ValueError as
    `ModuleState.check_kept`."""
    state.check_kept(trained)
    try:
        return finite_delta(state.difference(base))
    except ValueError as error:
        raise TrainingFailed(f"training diverged: {error}") from error


def _gradients(loss: torch.Tensor, parameters: Tensors) -> Tensors:
    """Zeros for a parameter that the loss does not depend on."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return tuple(
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(parameters, found, strict=True)
    )


def _pulled(
    parameters: Tensors,
    gradients: Tensors,
    anchors: Sequence[torch.Tensor],
    corrections: Sequence[torch.Tensor],
    pull: float,
) -> Tensors:
    """The gradients of the loss plus pull / 2 * |w - anchor|^2 - correction * w; without anchors as they are.

    Anchors and corrections are of the first parameters, those that travel: personal ones follow nobody.
    """
    if not anchors:
        return gradients
    with torch.no_grad():
        pulled = [
            gradient + pull * (parameter - anchor)
            for gradient, parameter, anchor in zip(gradients, parameters, anchors, strict=False)
        ]
        for gradient, correction in zip(pulled, corrections, strict=False):
            gradient -= correction
    return *pulled, *gradients[len(pulled) :]


def _step(
    parameters: Tensors,
    velocities: Tensors,
    gradients: Tensors,
    config: TrainingConfig,
) -> None:
    """One step of gradient descent with momentum, in place: v = momentum * v + gradient, w = w - learning_rate * v."""
    with torch.no_grad():
        torch._foreach_mul_(velocities, config.momentum)
        torch._foreach_add_(velocities, gradients)
        if config.weight_decay:
            torch._foreach_add_(velocities, parameters, alpha=config.weight_decay)
        torch._foreach_sub_(parameters, velocities, alpha=config.learning_rate)
