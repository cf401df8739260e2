"""The network of the task: a base that stands, and adapters of low rank that travel (LoRA: Hu et al., 2021,
"LoRA: Low-Rank Adaptation of Large Language Models")."""

import torch
from torch import nn


class Adapted(nn.Module):
    """A linear layer with an adapter beside it, which begins as nothing: its second factor is 0."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.base = nn.Linear(width, width)
        self.adapter_in = nn.Linear(width, rank, bias=False)
        self.adapter_out = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.adapter_out.weight)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Same shape as `values`."""
        adapted: torch.Tensor = self.base(values) + self.adapter_out(self.adapter_in(values))
        return adapted


class Classifier(nn.Module):
    """Texts as numbers of words. The base here is drawn from the task's seed: put the weights of yours in a file of the
    package, and name it in task.yaml as `model.weights`."""

    def __init__(self, words: int, width: int, rank: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.layers = nn.Sequential(Adapted(width, rank), nn.ReLU(), Adapted(width, rank), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, texts: torch.Tensor) -> torch.Tensor:
        """Logits float32[B, classes] of texts int64[B, length]."""
        logits: torch.Tensor = self.head(self.layers(self.embedding(texts).mean(dim=1)))
        return logits


def net(words: int, width: int, rank: int, classes: int) -> nn.Module:
    """The task's builder."""
    return Classifier(words, width, rank, classes)
