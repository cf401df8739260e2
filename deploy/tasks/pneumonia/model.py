"""A small residual network. Source: He et al., 2015, "Deep Residual Learning for Image Recognition", with
the initial weights of He et al., 2015, "Delving Deep into Rectifiers"."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two convolutions with BatchNorm beside a shortcut; the first has the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.first_norm(self.first(features)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(features))


def net(classes: int, channels: int) -> nn.Module:
    """Logits float32[B, classes] of images float32[B, 1, H, W].

    Convolutions start as He et al. have it, so that what BatchNorm sees has variances near the 1 that its statistics
    start from: otherwise the first round's update would mostly be their way there, and hard to tell from a poisoned
    one by its norm.
    """
    network = nn.Sequential(
        nn.Conv2d(1, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        Block(channels, channels, stride=1),
        Block(channels, 2 * channels, stride=2),
        Block(2 * channels, 4 * channels, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * channels, classes),
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    return network
