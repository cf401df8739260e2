"""Convolutions over time, of spectrograms whose bands are channels."""

from collections import OrderedDict

from torch import nn

GROUPS = 4
"""Of channels that are normalised together: nothing depends on the other examples of a batch, which are all of one
speaker."""


def net(bands: int, frames: int, classes: int, channels: int, dropout: float) -> nn.Module:
    """Logits float32[B, classes] of spectrograms float32[B, 1, bands, frames]; frames are a multiple of 8.

    Two layers, and wide: models that were trained apart are averaged with less loss than deep and narrow ones.
    """
    return nn.Sequential(
        OrderedDict(
            bands=nn.Flatten(1, 2),
            convolution_1=nn.Conv1d(bands, channels, 5, padding=2, bias=False),
            norm_1=nn.GroupNorm(GROUPS, channels),
            active_1=nn.ReLU(),
            pool_1=nn.MaxPool1d(2),
            convolution_2=nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            norm_2=nn.GroupNorm(GROUPS, channels),
            active_2=nn.ReLU(),
            pool_2=nn.MaxPool1d(4),
            flat=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            out=nn.Linear(channels * (frames // 8), classes),
        )
    )
