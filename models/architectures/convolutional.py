"""A small convolutional network for square images of one channel."""

from collections.abc import Sequence

from torch import nn


def convolutional(*, image_size: int, classes: int, channels: Sequence[int] = (8, 16), hidden: int = 48) -> nn.Module:
    """Convolutions of 5 and then 3 pixels with stride 2, one hidden layer, logits float32[B, classes].

    Takes float32[B, 1, image_size, image_size]. channels: of each convolution. Strides instead of pooling: half the
    time on one core. Raises ValueError for an image that the convolutions use up.
    """
    layers: list[nn.Module] = []
    size, width = image_size, 1
    for index, count in enumerate(channels):
        kernel = 3 if index else 5
        layers += [nn.Conv2d(width, count, kernel, stride=2), nn.ReLU()]
        size, width = (size - kernel) // 2 + 1, count
    if size < 1:
        raise ValueError(f"image_size {image_size} is too small for {len(channels)} convolutions")
    layers += [nn.Flatten(), nn.Linear(width * size * size, hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers)
