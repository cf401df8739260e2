"""The network of the task: convolutions along the time of a window of readings."""

import torch
from torch import nn

CYCLES = 100.0
"""The network counts in hundreds of cycles, so that its outputs are about 1."""


class RemainingLife(nn.Module):
    """Two convolutions over time, each halving it, and two linear layers."""

    def __init__(self, sensors: int, window: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv1d(sensors, channels, kernel_size=5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(channels, channels, kernel_size=5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        width = channels * ((window + 3) // 4)
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Cycles that remain, float32[B], of windows float32[B, T, sensors]."""
        life: torch.Tensor = self.head(self.convolutions(windows.transpose(1, 2))).squeeze(1)
        return life * CYCLES


def net(sensors: int, window: int, channels: int, hidden: int) -> nn.Module:
    """The task's builder."""
    return RemainingLife(sensors, window, channels, hidden)


def loss(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared error in hundreds of cycles, 0-d: that of cycles would be 10,000 times as large, and so would the
    steps be."""
    return ((predictions - targets) / CYCLES).square().mean()
