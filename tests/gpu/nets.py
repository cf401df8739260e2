"""The networks that figures are of: that of the task digits, the task pneumonia's at the size that it is trained at and
four times as wide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.tasks.pneumonia.model import net
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.architectures import build

DIGITS = {"image_size": 28, "classes": 10, "channels": 8, "hidden": 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A network. shape: of one input. make: the module, with random weights that follow from a seed."""

    name: str
    shape: tuple[int, ...]
    classes: int
    builder: Callable[[], nn.Module]

    def make(self) -> nn.Module:
        """The module in evaluation mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(11)
            return self.builder().eval()

    def inputs(self, size: int) -> NDArray[np.float32]:
        """float32[size, ...], the same at each call."""
        return np.random.default_rng(2).normal(size=(size, *self.shape)).astype(np.float32)

    def examples(self, size: int) -> Examples:
        """Random images with random classes."""
        targets = np.random.default_rng(3).integers(0, self.classes, size)
        return Examples(inputs=self.inputs(size), targets=targets)


NETS = (
    Net(name="digits", shape=(1, 28, 28), classes=10, builder=lambda: build("convolutional", DIGITS)),
    Net(name="residual_8", shape=(1, 64, 64), classes=2, builder=lambda: net(2, 8)),
    Net(name="residual_32", shape=(1, 64, 64), classes=2, builder=lambda: net(2, 32)),
)
