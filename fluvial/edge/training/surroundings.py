"""What code of a task finds around it in the process, and leaves as it was: random numbers, torch's settings, output.

One process measures many tasks; a builder that changes the default dtype would change the next task's module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from fluvial.edge.packages.surroundings import Setting, Shared, drawing_apart, process_kept, put_back


@contextmanager
def drawing_from(seed: int, device: str = "cpu") -> Iterator[None]:
    """What torch (on the processor and on the device), numpy's global generator and Python's draw meanwhile follows
    from the seed, while one thread draws, as in `drawing_apart`; the generators are put back.

    Of that device alone: `torch.manual_seed` also leaves, for every call, a note for each GPU that is not in use yet,
    and `torch.random.fork_rng` takes as long as a step of a small model.
    """
    of_torch = torch.default_generator.get_state()
    of_device = None if device == "cpu" else torch.cuda.get_rng_state()
    torch.default_generator.manual_seed(seed)
    if of_device is not None:
        torch.cuda.manual_seed(seed)
    try:
        with drawing_apart(seed):
            yield
    finally:
        torch.default_generator.set_state(of_torch)
        if of_device is not None:
            torch.cuda.set_rng_state(of_device)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Torch's settings, and whether it records gradients, which it does meanwhile, are put back, and so is what
    `process_kept` names."""
    with torch.enable_grad(), process_kept(), _OF_PROCESS.put_back(), put_back(_OF_THREAD):
        yield


def _flushes_denormals() -> bool:
    """Whether this thread takes numbers near 0 for 0."""
    return 5e-324 * float(1) == 0.0


def _set_default_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


_OF_PROCESS = Shared(
    (
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    )
)
_OF_THREAD: Sequence[Setting] = (
    (torch.get_default_device, _set_default_device),
    (torch.get_num_threads, torch.set_num_threads),
    (_flushes_denormals, torch.set_flush_denormal),
)
