"""Fully connected networks for tables of numbers."""

from torch import nn


def multilayer_perceptron(*, inputs: int, classes: int, hidden: int, layers: int = 1) -> nn.Module:
    """`layers` hidden layers of `hidden` units with ReLU, logits float32[B, classes] of float32[B, inputs]."""
    modules: list[nn.Module] = []
    width = inputs
    for _ in range(layers):
        modules += [nn.Linear(width, hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*modules, nn.Linear(width, classes))


def logistic_regression(*, inputs: int, classes: int) -> nn.Module:
    """One linear layer: multinomial logistic regression."""
    return nn.Sequential(nn.Linear(inputs, classes))
