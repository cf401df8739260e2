"""Candidate scoring: what many updates make of one model, each by itself, seen on a canary set.

A candidate is a base model plus one update. On a processor candidates go one after the other, each with the whole
canary set as one batch: 57 times as fast as example by example, and faster than stacking candidates, whose activations
leave the caches. On a graphics processor a loop is bound by kernel launches, and chunks of candidates are stacked
(`torch.func.vmap`). Which chunk is fastest is measured once, when the first candidates come; on a processor the loop is
taken without asking, because its numbers do not depend on who else is scored.

Shapes: K candidates, D parameters, M examples, C classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call, vmap

from fluvial.edge.training.device import choose_device
from fluvial.edge.training.module_state import ModuleState

LARGEST_LOSS = 1e9
"""Stands for a loss that is not finite: verdicts hold numbers that compare."""

CHUNKS = (8, 32, 128)
"""Candidates at once that are tried on a graphics processor, beside the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """One candidate on the canary set. loss: mean cross-entropy, nats, at most LARGEST_LOSS. recall: by class, of those
    that the set has. cosine: between the update and the set's own step at the base, 0 where one of them is zero."""

    loss: float
    recall: Mapping[int, float]
    cosine: float


class CandidateScorer:
    """Scores candidates of one classifier. One thread at a time."""

    def __init__(
        self,
        state: ModuleState,
        inputs: NDArray[np.float32],
        targets: NDArray[np.int64],
        *,
        device: str = "auto",
    ) -> None:
        """state: of the module, which is the scorer's own from now on. inputs: float32[M, ...], targets: int64[M].
        Raises ValueError as `choose_device` does, for a module with tensors of other dtypes than float32, and for a
        canary set that does not fit it."""
        self.device = choose_device(device)
        others = sorted({tensor.dtype for tensor in state.layout} - {"float32"})
        if others:
            raise ValueError(f"candidates are scored of modules of float32; this one has {', '.join(others)}")
        self._module = state.module.to(self.device).eval()
        self._inputs = torch.from_numpy(np.ascontiguousarray(inputs)).to(self.device)
        self._targets = torch.from_numpy(np.ascontiguousarray(targets)).to(self.device)
        self._labels = np.unique(targets)
        self._is_label = (targets[:, None] == self._labels).astype(np.float64)
        self._shapes = [(tensor.name, tuple(tensor.shape), prod(tensor.shape)) for tensor in state.layout]
        self._trained = {name for name, _ in self._module.named_parameters()}
        self._chunk: int | None = 1 if self.device == "cpu" else None
        self._check_fit()

    @property
    def num_parameters(self) -> int:
        return sum(size for _, _, size in self._shapes)

    @property
    def chunk(self) -> int | None:
        """Candidates at once; 1 is the loop. None until the first were scored on a graphics processor."""
        return self._chunk

    def base(self, model: NDArray[np.float32]) -> tuple[CandidateScore, NDArray[np.float32]]:
        """The score of a base model, float32[D], and the canary set's own step from it, float32[D]: the negative
        gradient of the loss, 0 for statistics. Raises ValueError for a model that does not fit the module."""
        if len(model) != self.num_parameters:
            raise ValueError(f"models have {self.num_parameters} elements, this one {len(model)}")
        views = self._views(torch.from_numpy(model).to(self.device))
        tensors = {name: view.clone().requires_grad_(name in self._trained) for name, view in views.items()}
        logits = functional_call(self._module, tensors, (self._inputs,))
        loss = nn.functional.cross_entropy(logits, self._targets)
        trained = [tensor for name, tensor in tensors.items() if name in self._trained]
        gradients = iter(torch.autograd.grad(loss, trained, materialize_grads=True))
        step = torch.cat(
            [
                -next(gradients).reshape(-1) if name in self._trained else torch.zeros(size, device=self.device)
                for name, _, size in self._shapes
            ]
        )
        (score,) = self._scores(logits.detach()[None], [0.0])
        return score, step.cpu().numpy()

    def score(
        self, model: NDArray[np.float32], deltas: Sequence[NDArray[np.float32]], step: NDArray[np.float32]
    ) -> list[CandidateScore]:
        """The scores of the candidates model + delta. model, step: float32[D], from `base`; deltas: K of float32[D].
        Raises ValueError for one of another length."""
        if any(len(vector) != self.num_parameters for vector in (model, step, *deltas)):
            raise ValueError(f"models, updates and steps have {self.num_parameters} parameters")
        if not deltas:
            return []
        if self._chunk is None:
            self._chunk = self._fastest(model, deltas)
        if self.device == "cpu":
            return self._scores(self.logits(model, deltas, self._chunk), [cosine(delta, step) for delta in deltas])
        base, own_step = (torch.from_numpy(vector).to(self.device) for vector in (model, step))
        with torch.inference_mode():
            pairs = [
                (self._logits_of(base + stacked), _cosines(stacked, own_step))
                for stacked in self._stacks(deltas, self._chunk)
            ]
            logits, cosines = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        return self._scores(logits, cosines.tolist())

    def logits(self, model: NDArray[np.float32], deltas: Sequence[NDArray[np.float32]], chunk: int) -> torch.Tensor:
        """Logits float32[K, M, C] of all candidates, `chunk` at once; 1 is the loop."""
        with torch.inference_mode():
            base = torch.from_numpy(model).to(self.device)
            return torch.cat([self._logits_of(base + stacked) for stacked in self._stacks(deltas, chunk)])

    def _stacks(self, deltas: Sequence[NDArray[np.float32]], chunk: int) -> Iterator[torch.Tensor]:
        """The updates on the device, at most `chunk` at once: float32[k, D]."""
        for first in range(0, len(deltas), chunk):
            yield torch.from_numpy(np.stack(deltas[first : first + chunk])).to(self.device)

    def _logits_of(self, candidates: torch.Tensor) -> torch.Tensor:
        """Logits float32[k, M, C] of float32[k, D], all at once; one by itself as a plain call."""
        if len(candidates) == 1:
            return self._run(self._views(candidates[0]))[None]
        logits: torch.Tensor = vmap(self._run)(self._views(candidates))
        return logits

    def _run(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor = functional_call(self._module, parameters, (self._inputs,))
        return logits

    def _views(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Parameters by name, views of float32[..., D]."""
        views, first = {}, 0
        for name, shape, size in self._shapes:
            views[name] = flat[..., first : first + size].reshape(*flat.shape[:-1], *shape)
            first += size
        return views

    def _scores(self, logits: torch.Tensor, cosines: Sequence[float]) -> list[CandidateScore]:
        """Of logits float32[K, M, C], in float64. Losses and answers of the examples are the device's work, their means
        numpy's: row by row, so that a score does not depend on who else is scored."""
        wide = logits.double()
        targets = self._targets.expand(len(wide), -1)
        chances = torch.log_softmax(wide, dim=2).gather(2, targets[:, :, None])
        of_examples = -chances[:, :, 0].cpu().numpy()
        right = (wide.argmax(dim=2) == targets).cpu().numpy()
        losses = np.nan_to_num(of_examples.mean(axis=1), nan=LARGEST_LOSS, posinf=LARGEST_LOSS)
        recalls = right @ self._is_label / self._is_label.sum(axis=0)
        labels = self._labels.tolist()
        return [
            CandidateScore(
                loss=min(float(loss), LARGEST_LOSS), recall=dict(zip(labels, of_one, strict=True)), cosine=cosine
            )
            for loss, of_one, cosine in zip(losses, recalls.tolist(), cosines, strict=True)
        ]

    def _fastest(self, model: NDArray[np.float32], deltas: Sequence[NDArray[np.float32]]) -> int:
        """The chunk that takes the least time for a candidate; a size that memory does not hold is not taken."""
        times: dict[int, float] = {}
        for chunk in (1, *CHUNKS):
            some = [deltas[number % len(deltas)] for number in range(chunk)]
            try:
                self.logits(model, some, chunk)
                times[chunk] = _seconds(partial(self.logits, model, some, chunk)) / chunk
            except torch.OutOfMemoryError:
                break
        return min(times, key=lambda chunk: times[chunk], default=1)

    def _check_fit(self) -> None:
        try:
            with torch.inference_mode():
                logits = self._module(self._inputs[:2])
        except Exception as error:  # whatever torch and the module make of shapes that they cannot use
            raise ValueError(f"the canary set does not fit the module: {error}") from error
        if logits.ndim != 2 or int(self._targets.min()) < 0 or int(self._targets.max()) >= logits.shape[1]:
            raise ValueError("the canary set has classes that the model does not have")


def cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Of two vectors float32[D], in float64 and in [-1, 1]; 0 where one of them is zero."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = float(np.sqrt(a @ a) * np.sqrt(b @ b))
    return float(np.clip((a @ b) / lengths, -1.0, 1.0)) if lengths > 0 else 0.0


def _cosines(vectors: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """As `cosine`, of each of float32[k, D] with float32[D], on their device: float64[k]."""
    wide, other = vectors.double(), step.double()
    lengths = torch.linalg.vector_norm(wide, dim=1) * torch.linalg.vector_norm(other)
    return torch.where(lengths > 0, (wide @ other / lengths).clamp(-1.0, 1.0), torch.zeros_like(lengths))


def _seconds(run: Callable[[], torch.Tensor]) -> float:
    """Least time of three calls, the device's work included."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        run().sum().item()  # waits for the device
        best = min(best, time.perf_counter() - started)
    return best
