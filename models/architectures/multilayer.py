"""Fully connected networks for tables of numbers."""

from collections.abc import Sequence

from torch import nn


def multilayer_perceptron(*, inputs: int, classes: int, hidden: Sequence[int]) -> nn.Module:
    """Hidden layers with ReLU, logits float32[B, classes] of float32[B, inputs]."""
    layers: list[nn.Module] = []
    width = inputs
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, classes))


def logistic_regression(*, inputs: int, classes: int) -> nn.Module:
    """One linear layer: multinomial logistic regression."""
    return multilayer_perceptron(inputs=inputs, classes=classes, hidden=())
