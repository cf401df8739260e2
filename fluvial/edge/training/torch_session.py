"""A torch artefact in memory, ready to answer: beside `fluvial.inference.session.OnnxSession`, behind the same
interface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fluvial.edge.training.batches import call
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.replayed import Call, CudaGraphs, Replayed
from fluvial.edge.training.torch_artefact import PRECISIONS, unpack
from fluvial.inference.session import check_inputs, in_batches


def runtime(device: str, precision: str) -> str:
    """Name and version of what runs torch's artefacts on a device, in a type: all that may change an answer."""
    version = torch.__version__.partition("+")[0]
    return f"torch {version} {f'cuda {torch.version.cuda}' if device == 'cuda' else 'cpu'} {precision}"


def runtimes(device: str) -> frozenset[str]:
    """All that torch may be on a device, one for each type."""
    return frozenset(runtime(device, precision) for precision in PRECISIONS)


class TorchSession:
    """An artefact of `torch_artefact` on one device. Threads may share it.

    module: makes the task's module, which is the session's own from then on. device: cpu or cuda; as many threads as
    torch has in this process.
    """

    def __init__(self, artefact: bytes, module: Callable[[], nn.Module], *, device: str = "cpu") -> None:
        """Raises ValueError for bytes that are no such artefact, for one of another module than the task's, and for
        CUDA that is not there."""
        self._device = choose_device(device)
        loaded, precision, shape = unpack(artefact, module())
        self._module, self._dtype = loaded.to(self._device), PRECISIONS[precision]
        self._outputs: Call = Replayed(self._call, CudaGraphs()) if self._device == "cuda" else self._call
        self.runtime = runtime(self._device, precision)
        self.input_shape: tuple[int | None, ...] = (None, *shape)
        """Shape of the inputs; None for the number of examples."""

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[B, ...] of float32[B, ...]. Raises ValueError for inputs of another shape or type."""
        check_inputs(inputs, self.input_shape)
        with torch.inference_mode():
            answers: NDArray[np.float32] = self._outputs(torch.from_numpy(np.ascontiguousarray(inputs))).numpy()
        return answers

    def run_in_batches(self, inputs: NDArray[np.float32], batch: int = 256) -> NDArray[np.float32]:
        """As `run`, so many examples at a time. Raises ValueError for no inputs."""
        return in_batches(self.run, inputs, batch)

    def _call(self, inputs: torch.Tensor) -> torch.Tensor:
        # Cast there: a device does it in no time, a processor does not.
        outputs: torch.Tensor = call(self._module, inputs.to(self._device).to(self._dtype)).float()
        return outputs
