"""What code of a task finds around it in the process, and leaves as it was: random numbers, torch's settings, output.

One process measures many tasks; a builder that changes the default dtype would change the next task's module.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from fluvial.edge.packages.output import output_apart


@contextmanager
def drawing_from(seed: int, device: str = "cpu") -> Iterator[None]:
    """What torch (on the processor and on the device), numpy's global generator and Python's draw meanwhile follows
    from the seed; the generators are put back.

    Of that device alone: `torch.manual_seed` also leaves, for every call, a note for each GPU that is not in use yet,
    and `torch.random.fork_rng` takes as long as a step of a small model.
    """
    of_python, of_numpy, of_torch = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    of_device = None if device == "cpu" else torch.cuda.get_rng_state()
    torch.default_generator.manual_seed(seed)
    if of_device is not None:
        torch.cuda.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        torch.default_generator.set_state(of_torch)
        if of_device is not None:
            torch.cuda.set_rng_state(of_device)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Torch's default dtype and device, and whether it records gradients, which it does meanwhile, are put back. What
    is printed goes to standard error: standard output may be read by a program."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    with torch.enable_grad(), output_apart():
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            if torch.get_default_device() != device:
                torch.set_default_device(None if device.type == "cpu" else device)
