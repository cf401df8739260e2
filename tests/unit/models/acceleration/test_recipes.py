"""What recipes do to a model and refuse of one; what they build: tests/integration."""

import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.training.architectures import build
from models.acceleration import Subject, parse_recipe


def test_pruning_whole_units_is_the_model_without_them():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3)).eval()
    with torch.no_grad():
        for channel, size in enumerate((3.0, 0.01, 2.0, 0.02)):
            module[0].weight[channel] *= size
            module[0].bias[channel] = 0.0
        module[1].running_mean += torch.tensor([0.1, 0.0, 0.2, 0.0])
        # What is pruned says nothing: it is 0 behind its normalisation.
        module[1].weight[[1, 3]] = 0.0
        module[1].bias[[1, 3]] = 0.0
    smaller = parse_recipe("pruned_structured", {}).transform(module)
    inputs = torch.randn(5, 1, 6, 6)
    assert smaller[0].weight.shape[0] == 2
    assert smaller[4].weight.shape == (3, 2 * 16)
    torch.testing.assert_close(smaller(inputs), module(inputs))


def test_pruning_takes_as_many_channels_of_each_group_of_a_normalisation():
    module = build("convolutional", {"image_size": 12, "classes": 4, "channels": 8})
    smaller = parse_recipe("pruned_structured", {}).transform(module)
    norms = [layer for layer in smaller.modules() if isinstance(layer, nn.GroupNorm)]
    assert [(norm.num_groups, norm.num_channels) for norm in norms] == [(4, 4), (4, 8)]
    assert smaller(torch.randn(2, 1, 12, 12)).shape == (2, 4)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("int9", {}, "unknown recipe 'int9'"),
        ("int8_static", {"weight_bits": 6}, "must be 7 or 8"),
        ("int8_dynamic", {"bits": 7}, "do not fit the recipe"),
        ("pruned_structured", {"fraction": 1.0}, "between 0 and 1"),
        ("int4_storage", {"block": 3}, "even"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        parse_recipe(name, parameters)


def test_one_calibration_input_is_too_few():
    with pytest.raises(ValueError, match="at least 2"):
        _ = Subject(module=nn.Linear(1, 1), calibration=np.zeros((1, 1), np.float32)).example
