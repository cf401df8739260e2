"""A small convolutional network for square images of one channel."""

import torch
from torch import nn


class Standardise(nn.Module):
    """(x - mean) / deviation with constants of the task, so that nobody's data need be pooled to know them."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Same shape as `values`."""
        return (values - self.mean) / self.deviation


def convolutional(
    *,
    image_size: int,
    classes: int,
    channels: int = 8,
    hidden: int = 48,
    mean: float = 0.0,
    deviation: float = 1.0,
) -> nn.Module:
    """Two convolutions (5 pixels, then 3, both with stride 2), one hidden layer, logits float32[B, classes].

    Takes float32[B, 1, image_size, image_size]. channels: of the first convolution, a multiple of 4; the second has
    twice as many. mean, deviation: of a pixel. Strides instead of pooling take half the time on one core. Group
    normalisation, unlike that of batches, keeps no statistics of anybody's data; with it large steps stay stable.
    Raises ValueError for an image that the convolutions use up, and for channels that make no groups.
    """
    size = ((image_size - 5) // 2 + 1 - 3) // 2 + 1
    if size < 1:
        raise ValueError(f"image_size {image_size} is too small for two convolutions")
    return nn.Sequential(
        Standardise(mean, deviation),
        nn.Conv2d(1, channels, 5, stride=2),
        nn.GroupNorm(4, channels),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2),
        nn.GroupNorm(4, 2 * channels),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * channels * size * size, hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )
