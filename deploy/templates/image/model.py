"""The network of the task."""

from torch import nn


def net(size: int, classes: int, channels: int) -> nn.Module:
    """Logits float32[B, classes] of images float32[B, 1, size, size]."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(channels * (size // 2) ** 2, classes),
    )
