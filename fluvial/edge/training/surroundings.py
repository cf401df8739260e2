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

    Only those of torch: `torch.manual_seed` also leaves, for every call, a note for each GPU that is not in use yet.
    """
    devices = [] if device == "cpu" else [torch.cuda.current_device()]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)


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
