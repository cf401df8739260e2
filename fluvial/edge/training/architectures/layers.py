"""What architectures are made of: layers with the tensors that they hold and the shapes that they take and give.

They are plain values, so that a task's first model, its layout and whether a data set fits it are known without torch,
whose import takes longer than all of that (`modules.py` makes modules of them). Shapes: B examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import ClassVar

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor of a layer. bound: it is drawn uniformly from [-bound, bound]; None: all its elements are `constant`."""

    name: str
    shape: Shape
    bound: float | None = None
    constant: float = 0.0


class Layer:
    """A step from one example's values to the next. Sizes are whole numbers from 1 on. Raises ValueError."""

    __slots__ = ()
    sizes: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.sizes:
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, got {getattr(self, name)}")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those that it holds, in the order in which they are drawn."""
        return ()

    def shape_after(self, shape: Shape) -> Shape:
        """Of an example behind this layer. shape: before it. Raises ValueError where it does not fit."""
        return shape


@dataclass(frozen=True, slots=True)
class Linear(Layer):
    """y = Wx + b over the last dimension."""

    sizes: ClassVar[tuple[str, ...]] = ("inputs", "outputs")

    inputs: int
    outputs: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return _weight_and_bias((self.outputs, self.inputs))

    def shape_after(self, shape: Shape) -> Shape:
        if shape[-1:] != (self.inputs,):
            raise ValueError(f"a linear layer takes rows of {self.inputs} numbers, not {list(shape)}")
        return *shape[:-1], self.outputs


@dataclass(frozen=True, slots=True)
class Convolution(Layer):
    """Over squares of `kernel` pixels, without padding."""

    sizes: ClassVar[tuple[str, ...]] = ("channels", "filters", "kernel", "stride")

    channels: int
    filters: int
    kernel: int
    stride: int

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return _weight_and_bias((self.filters, self.channels, self.kernel, self.kernel))

    def shape_after(self, shape: Shape) -> Shape:
        if len(shape) != 3 or shape[0] != self.channels or min(shape[1:]) < self.kernel:
            raise ValueError(
                f"a convolution takes images [{self.channels}, height, width] of at least {self.kernel} pixels a side, "
                f"not {list(shape)}"
            )
        return self.filters, *((side - self.kernel) // self.stride + 1 for side in shape[1:])


@dataclass(frozen=True, slots=True)
class GroupNormalisation(Layer):
    """Wu and He, 2018, with a scale and a shift for each channel."""

    sizes: ClassVar[tuple[str, ...]] = ("groups", "channels")

    groups: int
    channels: int

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        if self.channels % self.groups:
            raise ValueError(f"{self.channels} channels are not divisible into {self.groups} groups")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        shape = (self.channels,)
        return Tensor(name="weight", shape=shape, constant=1.0), Tensor(name="bias", shape=shape)

    def shape_after(self, shape: Shape) -> Shape:
        if shape[:1] != (self.channels,):
            raise ValueError(f"a normalisation takes {self.channels} channels, not {list(shape)}")
        return shape


@dataclass(frozen=True, slots=True)
class Standardise(Layer):
    """(x - mean) / deviation with constants of the task, so that nobody's data need be pooled to know them."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Rectifier(Layer):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """All values of an example in one row."""

    def shape_after(self, shape: Shape) -> Shape:
        return (prod(shape),)


def shape_after(layers: tuple[Layer, ...], shape: Shape) -> Shape:
    """What an architecture makes of an example of this shape. Raises ValueError where it does not fit."""
    for layer in layers:
        shape = layer.shape_after(shape)
    return shape


def _weight_and_bias(shape: Shape) -> tuple[Tensor, ...]:
    """Drawn as torch draws them by default: He et al., 2015, for a leaky rectifier of slope sqrt(5), and for biases the
    inverse root of the fan-in. The two bounds are one number, and round differently."""
    fan_in = prod(shape[1:])
    of_weights = sqrt(3.0) * (sqrt(2.0 / (1 + sqrt(5.0) ** 2)) / sqrt(fan_in))
    weight = Tensor(name="weight", shape=shape, bound=of_weights)
    return weight, Tensor(name="bias", shape=shape[:1], bound=1 / sqrt(fan_in))
