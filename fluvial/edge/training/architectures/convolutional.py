"""A small convolutional network for square images of one channel."""

from fluvial.edge.training.architectures.layers import (
    Convolution,
    Flatten,
    GroupNormalisation,
    Layer,
    Linear,
    Rectifier,
    Standardise,
)


def convolutional(
    *,
    image_size: int,
    classes: int,
    channels: int = 8,
    hidden: int = 48,
    mean: float = 0.0,
    deviation: float = 1.0,
) -> tuple[Layer, ...]:
    """Two convolutions (5 pixels, then 3, both with stride 2), one hidden layer, logits float32[B, classes].

    Takes float32[B, 1, image_size, image_size]. channels: of the first convolution, a multiple of 4; the second has
    twice as many. mean, deviation: of a pixel. Strides instead of pooling take half the time on one core. Group
    normalisation, unlike that of batches, keeps no statistics of anybody's data; with it large steps stay stable.
    Raises ValueError for an image that the convolutions use up, and for channels that make no groups.
    """
    size = ((image_size - 5) // 2 + 1 - 3) // 2 + 1
    if size < 1:
        raise ValueError(f"image_size {image_size} is too small for two convolutions")
    return (
        Standardise(mean, deviation),
        Convolution(1, channels, 5, 2),
        GroupNormalisation(4, channels),
        Rectifier(),
        Convolution(channels, 2 * channels, 3, 2),
        GroupNormalisation(4, 2 * channels),
        Rectifier(),
        Flatten(),
        Linear(2 * channels * size * size, hidden),
        Rectifier(),
        Linear(hidden, classes),
    )
