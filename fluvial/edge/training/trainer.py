"""Local training with torch: from the round's model to a delta.

The same module, base, data, configuration and seed give the same bytes on the same machine. For that, and because many
participants may share one, torch is set to one thread for the whole process and stays so.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.flat import flatten, layout_of, unflatten
from fluvial.wire.records import TensorLayout

Progress = Callable[[int, int, float], None]
"""Called after each epoch: epochs done, epochs in all, mean loss of the epoch."""


def train(
    module: nn.Module,
    base: NDArray[np.float32],
    layout: Sequence[TensorLayout],
    inputs: NDArray[np.float32],
    targets: NDArray[np.int64],
    config: TrainingConfig,
    seed: int,
    progress: Progress | None = None,
    correction: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Train from `base` and return (delta float32[D], number of examples).

    module: of the task's architecture; its state is overwritten, and is the trained model afterwards. layout: the
    round's, which the module must have. inputs: float32[B, ...], targets: int64[B], class numbers. Examples are drawn
    in an order that follows from the seed. correction: float32[D], for a configuration with dynamic_alpha, taken off
    the gradient in each step. Raises ValueError for data, a module or a correction that do not fit.
    """
    if layout_of(module) != tuple(layout):
        raise ValueError("the module's state does not have the round's layout")
    if len(inputs) != len(targets) or not len(inputs):
        raise ValueError(f"{len(inputs)} inputs and {len(targets)} targets cannot be trained on")
    if (correction is None) == (config.dynamic_alpha > 0):
        raise ValueError("a correction belongs to dynamic_alpha, and neither goes without the other")
    torch.set_num_threads(1)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    unflatten(module, correction if correction is not None else base)
    corrections = [parameter.detach().clone() for parameter in parameters] if correction is not None else []
    unflatten(module, base)
    anchors = [parameter.detach().clone() for parameter in parameters] if config.pull else []
    order = torch.Generator().manual_seed(seed)
    examples, labels = torch.from_numpy(inputs), torch.from_numpy(targets)
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    module.train()
    for epoch in range(config.epochs):
        losses = torch.zeros(())
        for batch in torch.split(torch.randperm(len(examples), generator=order), config.batch_size):
            loss = functional.cross_entropy(module(examples[batch]), labels[batch])
            gradients: Sequence[torch.Tensor] = torch.autograd.grad(loss, parameters)
            losses += loss.detach() * len(batch)
            gradients = _pulled(parameters, gradients, anchors, corrections, config.pull)
            _step(parameters, velocities, gradients, config)
        if progress is not None:
            progress(epoch + 1, config.epochs, float(losses) / len(examples))
    return flatten(module) - base, len(examples)


def _pulled(
    parameters: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    anchors: Sequence[torch.Tensor],
    corrections: Sequence[torch.Tensor],
    pull: float,
) -> Sequence[torch.Tensor]:
    """The gradients of the loss plus pull / 2 * |w - anchor|^2 - correction * w; without anchors as they are."""
    if not anchors:
        return gradients
    with torch.no_grad():
        pulled = [
            gradient + pull * (parameter - anchor)
            for gradient, parameter, anchor in zip(gradients, parameters, anchors, strict=True)
        ]
        for gradient, correction in zip(pulled, corrections, strict=False):
            gradient -= correction
    return pulled


def _step(
    parameters: Sequence[torch.Tensor],
    velocities: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    config: TrainingConfig,
) -> None:
    """One step of gradient descent with momentum, in place: v = momentum * v + gradient, w = w - learning_rate * v."""
    with torch.no_grad():
        for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
            velocity.mul_(config.momentum).add_(gradient).add_(parameter, alpha=config.weight_decay)
            parameter.sub_(velocity, alpha=config.learning_rate)
