"""The network of the task."""

import torch
from torch import nn


class Net(nn.Module):
    """A column of categories is embedded, and joins the columns of numbers."""

    def __init__(self, numbers: int, categories: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(categories, 4)
        self.layers = nn.Sequential(nn.Linear(numbers + 4, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(self, numbers: torch.Tensor, category: torch.Tensor) -> torch.Tensor:
        """Logits float32[B, 2] of numbers float32[B, N] and categories int64[B]."""
        logits: torch.Tensor = self.layers(torch.cat([numbers, self.embedding(category)], dim=1))
        return logits


def net(numbers: int, categories: int, hidden: int) -> nn.Module:
    """The task's builder."""
    return Net(numbers, categories, hidden)
