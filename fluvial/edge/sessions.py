"""Artefacts, opened by what runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluvial.edge.artefact_kinds import runs_in_torch
from fluvial.inference.session import OnnxSession, Session

Module = Callable[[], Any]
"""Makes the task's torch module, as `TaskCode.module` does. Raises ValueError, PackageError."""


def open_session(artefact: bytes, *, module: Module | None = None, device: str = "cpu", threads: int = 1) -> Session:
    """An artefact ready to answer, in onnxruntime or in torch, as its bytes ask for.

    module: of the task, for what torch runs; None where the task's code is not at hand. device: cpu or cuda. threads:
    of one call in onnxruntime. Raises ValueError for bytes that are no artefact, for a runtime that is not installed,
    and for a device that it lacks."""
    if not runs_in_torch(artefact):
        return OnnxSession(artefact, threads=threads, device=device)
    if module is None:
        raise ValueError("the artefact is run by torch, with the task's module, and the task's code is not known here")
    try:
        from fluvial.edge.training.torch_session import TorchSession
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ValueError("the artefact is run by torch, which is not here: pip install 'fluvial[torch]'") from error
    return TorchSession(artefact, module, device=device)
