"""Training of many participants at once: `fluvial.edge.training.trainer.train`, vectorised over participants.

Small models leave a processor idle between the many small operations of a step. Here a step of all participants is
one step of a model with a further dimension (torch.func.vmap): two to three times as fast on one core. Batches,
order of examples and arithmetic are the trainer's; only the order of float32 additions within an operation differs, so
the deltas agree to rounding. Shapes: P participants, S steps of the longest, B batch, D parameters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from fluvial.edge.training.architectures import build
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset
from fluvial.edge.training.module_state import ModuleState

Matrix = NDArray[np.float32]


class Cohort:
    """Trains participants of one architecture, whose examples are rows of one pool."""

    def __init__(self, architecture: str, parameters: Mapping[str, Any], pool: Dataset) -> None:
        """Raises ValueError for an architecture that does not exist."""
        torch.set_num_threads(1)
        self._module = build(architecture, parameters)
        self._inputs, self._targets = torch.from_numpy(pool.inputs), torch.from_numpy(pool.targets)
        self._gradients = vmap(grad(self._loss))

    def train(
        self,
        bases: Matrix,
        rows: Sequence[NDArray[np.int64]],
        seeds: Sequence[int],
        config: TrainingConfig,
        targets: NDArray[np.int64] | None = None,
    ) -> Matrix:
        """Deltas float32[P, D] of the participants.

        bases: the model that all start from, float32[D], or one for each, float32[P, D]. rows: each participant's
        examples in the pool. seeds: each participant's, as `train` takes it. targets: labels of the pool instead of
        its own, int64[P, pool] (label flips differ by participant).
        """
        if not rows or len(rows) != len(seeds):
            raise ValueError(f"{len(rows)} participants' examples and {len(seeds)} seeds do not train a cohort")
        starts = np.broadcast_to(bases, (len(rows), bases.shape[-1]))
        indices, shares = _batches(rows, seeds, config)
        labels = self._targets.expand(len(rows), -1) if targets is None else torch.from_numpy(targets)
        values = self._stack(starts)
        velocities = {name: torch.zeros_like(value) for name, value in values.items()}
        self._module.train()
        for batch, share in zip(indices, shares, strict=True):
            gradients = self._gradients(values, self._inputs[batch], labels.gather(1, batch), share)
            going = share.sum(1) > 0
            for name, value in values.items():
                velocity, gradient = velocities[name], gradients[name]
                velocity.mul_(config.momentum).add_(gradient).add_(value, alpha=config.weight_decay)
                step = velocity * going.view(-1, *[1] * (velocity.dim() - 1))
                value.sub_(step, alpha=config.learning_rate)
        ends = torch.cat([value.reshape(len(rows), -1) for value in values.values()], dim=1).numpy()
        deltas: Matrix = ends - starts
        return deltas

    def _stack(self, starts: Matrix) -> dict[str, torch.Tensor]:
        parts: dict[str, list[torch.Tensor]] = {}
        for start in starts:
            ModuleState(self._module).load(start)
            for name, value in self._module.state_dict().items():
                parts.setdefault(name, []).append(value.clone())
        return {name: torch.stack(values) for name, values in parts.items()}

    def _loss(
        self, values: dict[str, torch.Tensor], inputs: torch.Tensor, targets: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        logits = functional_call(self._module, values, (inputs,))
        return (functional.cross_entropy(logits, targets, reduction="none") * share).sum()


def _batches(
    rows: Sequence[NDArray[np.int64]], seeds: Sequence[int], config: TrainingConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the pool int64[S, P, B], and each example's share in its batch's mean loss float32[S, P, B].

    A share is 0 where a participant's last batch of an epoch is short, or where its steps are over.
    """
    steps: list[list[torch.Tensor]] = []
    for chosen, seed in zip(rows, seeds, strict=True):
        order, examples = torch.Generator().manual_seed(seed), torch.from_numpy(chosen)
        steps.append([])
        for _ in range(config.epochs):
            shuffled = examples[torch.randperm(len(examples), generator=order)]
            steps[-1] += torch.split(shuffled, config.batch_size)
    shape = (max(map(len, steps)), len(rows), min(config.batch_size, max(map(len, rows))))
    indices, shares = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape)
    for participant, batches in enumerate(steps):
        for step, batch in enumerate(batches):
            indices[step, participant, : len(batch)] = batch
            shares[step, participant, : len(batch)] = 1 / len(batch)
    return indices, shares
