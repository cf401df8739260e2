"""An artefact in memory, ready to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

INPUT, OUTPUT = "inputs", "outputs"


class Session(Protocol):
    """What answers, whatever runs it. runtime: name and version, as measurements and decisions name it. input_shape: of
    the inputs; None for the number of examples. Threads may share it."""

    runtime: str
    input_shape: tuple[int | None, ...]

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[B, ...] of float32[B, ...]. Raises ValueError for inputs of another shape or type."""

    def run_in_batches(self, inputs: NDArray[np.float32], batch: int = 256) -> NDArray[np.float32]:
        """As `run`, so many examples at a time. Raises ValueError for no inputs."""


def runtime() -> str:
    """Name and version of what runs ONNX artefacts here. Raises ValueError where it is not installed."""
    return f"onnxruntime {_onnxruntime().__version__}"


def provider_is_here(device: str) -> bool:
    """Whether onnxruntime runs on a device here, cpu or cuda. Raises ValueError as `runtime` does."""
    return _PROVIDERS.get(device) in _onnxruntime().get_available_providers()


_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError("inference needs onnxruntime: pip install 'fluvial[inference]'") from error
    return onnxruntime


class OnnxSession:
    """An ONNX artefact on one device. Threads may share it.

    threads: of one call; servers with several calls at once want 1. device: cpu or cuda.
    """

    def __init__(self, artefact: bytes, *, threads: int = 1, device: str = "cpu") -> None:
        """Raises ValueError for bytes that are no such model, and for a device that this runtime lacks."""
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if not provider_is_here(device):
            raise ValueError(f"onnxruntime {onnxruntime.__version__} here does not run on {device!r}")
        try:
            self._session: Any = onnxruntime.InferenceSession(artefact, options, providers=[_PROVIDERS[device]])
        except Exception as error:
            raise ValueError(f"the artefact is no model that onnxruntime can run: {error}") from error
        names = [item.name for item in self._session.get_inputs()], [item.name for item in self._session.get_outputs()]
        if names != ([INPUT], [OUTPUT]):
            raise ValueError(f"the artefact has inputs {names[0]} and outputs {names[1]}, not {[INPUT]} and {[OUTPUT]}")
        self.runtime = runtime()
        shape: Sequence[Any] = self._session.get_inputs()[0].shape
        self.input_shape: tuple[int | None, ...] = tuple(size if isinstance(size, int) else None for size in shape)

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Session`."""
        check_inputs(inputs, self.input_shape)
        outputs: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: inputs})[0]
        return outputs

    def run_in_batches(self, inputs: NDArray[np.float32], batch: int = 256) -> NDArray[np.float32]:
        """As `Session`."""
        return in_batches(self.run, inputs, batch)


def check_inputs(inputs: NDArray[np.float32], shape: Sequence[int | None]) -> None:
    """Raises ValueError for inputs that are not float32 of this shape; its first size is the number of examples."""
    if inputs.dtype != np.float32 or inputs.shape[1:] != tuple(shape[1:]):
        raise ValueError(f"the model takes float32 of shape {('B', *shape[1:])}, got {inputs.dtype} of {inputs.shape}")


def in_batches(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]], inputs: NDArray[np.float32], batch: int
) -> NDArray[np.float32]:
    """The outputs of all inputs, so many examples at a time. Raises ValueError for no inputs."""
    if not len(inputs):
        raise ValueError("there are no inputs")
    return np.concatenate([run(inputs[start : start + batch]) for start in range(0, len(inputs), batch)])
