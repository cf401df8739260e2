"""Convolutions over spectrograms."""

from collections import OrderedDict

from torch import nn

GROUPS = 4
"""Of channels that are normalised together: nothing depends on the other examples of a batch, which are all of one
speaker."""


def net(bands: int, frames: int, classes: int, channels: int, dropout: float) -> nn.Module:
    """Logits float32[B, classes] of spectrograms float32[B, 1, bands, frames]; both lengths are multiples of 8."""
    layers: list[tuple[str, nn.Module]] = []
    inputs = 1
    for number, outputs in enumerate((channels, 2 * channels, 2 * channels), start=1):
        layers += [
            (f"convolution_{number}", nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)),
            (f"norm_{number}", nn.GroupNorm(GROUPS, outputs)),
            (f"active_{number}", nn.ReLU()),
            (f"pool_{number}", nn.MaxPool2d(2)),
        ]
        inputs = outputs
    width = inputs * (bands // 8) * (frames // 8)
    layers += [("flat", nn.Flatten()), ("dropout", nn.Dropout(dropout)), ("out", nn.Linear(width, classes))]
    return nn.Sequential(OrderedDict(layers))
