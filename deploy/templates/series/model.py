"""The network of the task."""

import torch
from torch import nn


class Forecaster(nn.Module):
    """A recurrent layer over the window, and what comes next from its last state."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """float32[B] of windows float32[B, T, features]."""
        states, _ = self.recurrent(windows)
        forecast: torch.Tensor = self.head(states[:, -1]).squeeze(1)
        return forecast


def net(features: int, hidden: int) -> nn.Module:
    """The task's builder."""
    return Forecaster(features, hidden)
