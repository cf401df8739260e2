"""Fully connected networks for tables of numbers."""

from fluvial.edge.training.architectures.layers import Layer, Linear, Rectifier


def multilayer_perceptron(*, inputs: int, classes: int, hidden: int, layers: int = 1) -> tuple[Layer, ...]:
    """`layers` hidden layers of `hidden` units with ReLU, logits float32[B, classes] of float32[B, inputs]."""
    made: list[Layer] = []
    width = inputs
    for _ in range(layers):
        made += [Linear(width, hidden), Rectifier()]
        width = hidden
    return *made, Linear(width, classes)


def logistic_regression(*, inputs: int, classes: int) -> tuple[Layer, ...]:
    """One linear layer: multinomial logistic regression."""
    return (Linear(inputs, classes),)
