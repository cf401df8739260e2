"""A narrower copy of a chain of layers: whole units and channels removed, those with the smallest weights. Source: Li
et al., 2017, "Pruning Filters for Efficient ConvNets".

How many stay follows from the layers' sizes alone, and which from their weights: so the layout of what is left is known
to whoever knows the architecture, and a round of fine-tuning can train it."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import nn

_KEEPS_CHANNELS = (
    *(nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.Hardswish, nn.Dropout, nn.Identity),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
)

_Weighted = nn.Linear | nn.Conv1d | nn.Conv2d


def narrowed(module: nn.Module, fraction: float) -> nn.Module:
    """A copy of a chain of layers (`Sequential`s within one another) without this share of each hidden layer's units or
    channels. Raises ValueError for a fraction outside (0, 1), for other models, and where there is no hidden layer."""
    if not 0 < fraction < 1:
        raise ValueError(f"pruned_structured: fraction is {fraction}; it must be between 0 and 1")
    copy = deepcopy(module)
    chain = list(_chain(copy))
    pruned = False
    for place, layer in enumerate(chain):
        following = _next_weighted(chain, place) if isinstance(layer, _Weighted) else None
        if isinstance(layer, _Weighted) and following is not None:
            _narrow(chain, place, following, fraction)
            pruned = True
    if not pruned:
        raise ValueError("pruned_structured: the model has no hidden layer to prune")
    return copy


def _narrow(chain: list[nn.Module], place: int, following: int, fraction: float) -> None:
    """Remove outputs of chain[place], and what belongs to them up to the inputs of chain[following]."""
    layer, last = chain[place], chain[following]
    assert isinstance(layer, _Weighted)
    assert isinstance(last, _Weighted)
    between = chain[place + 1 : following]
    groups = next((norm.num_groups for norm in between if isinstance(norm, nn.GroupNorm)), 1)
    kept = _kept(layer, groups, fraction)
    before = layer.weight.shape[0]
    _narrow_outputs(layer, kept)
    for other in between:
        if isinstance(other, nn.GroupNorm | nn.BatchNorm1d | nn.BatchNorm2d):
            _narrow_normalisation(other, kept)
    # Behind a Flatten every channel has become as many inputs as it had places.
    per_channel = last.weight.shape[1] // before
    inputs = (kept[:, None] * per_channel + torch.arange(per_channel)).ravel()
    _narrow_inputs(last, inputs)


def _kept(layer: _Weighted, groups: int, fraction: float) -> torch.Tensor:
    """Indices of the outputs that stay, ascending: the same number of each group of a group normalisation."""
    sizes = layer.weight.detach().double().flatten(1).norm(dim=1)
    of_group = sizes.reshape(groups, -1)
    count = max(1, of_group.shape[1] - int(fraction * of_group.shape[1]))
    # Stable: of equal norms the first ones stay, on every machine.
    best = of_group.argsort(dim=1, descending=True, stable=True)[:, :count]
    offsets = torch.arange(groups)[:, None] * of_group.shape[1]
    kept: torch.Tensor = (best + offsets).ravel().sort().values
    return kept


def _chain(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _chain(child)
    elif list(module.children()):
        raise ValueError(
            f"pruned_structured: {type(module).__name__} is no chain of layers: what belongs to a unit cannot be told"
        )
    else:
        yield module


def _next_weighted(chain: list[nn.Module], place: int) -> int | None:
    """Where the outputs of chain[place] enter next; None if they are the model's. Raises ValueError for a layer between
    that mixes channels in a way not known here."""
    for later in range(place + 1, len(chain)):
        layer = chain[later]
        if isinstance(layer, _Weighted):
            if getattr(layer, "groups", 1) != 1:
                raise ValueError("pruned_structured: a convolution in groups is not pruned")
            return later
        if not isinstance(layer, (*_KEEPS_CHANNELS, nn.Flatten, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d)):
            raise ValueError(f"pruned_structured: it is not known what {type(layer).__name__} does to channels")
    return None


@torch.no_grad()
def _narrow_outputs(layer: _Weighted, kept: torch.Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[kept].clone())
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias[kept].clone())
    if isinstance(layer, nn.Linear):
        layer.out_features = len(kept)
    else:
        layer.out_channels = len(kept)


@torch.no_grad()
def _narrow_inputs(layer: _Weighted, inputs: torch.Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[:, inputs].clone())
    if isinstance(layer, nn.Linear):
        layer.in_features = len(inputs)
    else:
        layer.in_channels = len(inputs)


@torch.no_grad()
def _narrow_normalisation(layer: nn.GroupNorm | nn.BatchNorm1d | nn.BatchNorm2d, kept: torch.Tensor) -> None:
    for name in ("weight", "bias"):
        values = getattr(layer, name)
        if values is not None:
            setattr(layer, name, nn.Parameter(values[kept].clone()))
    if isinstance(layer, nn.GroupNorm):
        layer.num_channels = len(kept)
        return
    layer.num_features = len(kept)
    for name in ("running_mean", "running_var"):
        values = getattr(layer, name)
        if values is not None:
            setattr(layer, name, values[kept].clone())
