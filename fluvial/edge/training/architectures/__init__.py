"""Models by name: `build` makes a torch module, `initial_state` the flat vector that a task starts from, without torch.

A module's state is float32 and small enough to travel. It draws no random numbers when it trains (no dropout), so that
a participant's seed fixes its update.
"""

from fluvial.edge.training.architectures.catalogue import build, initial_state

__all__ = ["build", "initial_state"]
