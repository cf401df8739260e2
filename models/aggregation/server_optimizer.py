"""Server optimizers by name: what turns the aggregate of a round into the next model.

The aggregate of the updates, whichever rule made it, is taken for a pseudo-gradient (its negative, to be exact), and a
step of an optimizer is made with it instead of adding it as it is. Source: Reddi et al., 2021, "Adaptive Federated
Optimization".

What an optimizer remembers, its moments, are float32 vectors of the model's size, published with each model and
referenced by its manifest: whoever restarts or replays continues with the same bits. A step is computed in float64,
element by element, with operations that IEEE 754 fixes, and rounded to float32 once.

| name | moments | paper |
|---|---|---|
| `momentum` | velocity | Hsu, Qi and Brown, 2019, "Measuring the Effects of Non-Identical Data" (FedAvgM) |
| `adagrad`, `adam`, `yogi` | momentum, second_moment | Reddi et al., 2021, Algorithm 2 |
| `dynamic` | drift | Acar et al., 2021, "Federated Learning Based on Dynamic Regularization" (FedDyn) |

SCAFFOLD (Karimireddy et al., 2020) is not here: each participant sends a second tensor, the change of its control
variate, and each round a second model goes out, while an update is one delta that admission bounds and rules compare.
FedDyn corrects the same drift of participants and keeps the correction where it arises. Shapes: n elements of a chunk.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from models.aggregation.parameters import construct, read_object
from models.aggregation.server_adagrad import Adagrad
from models.aggregation.server_adam import Adam
from models.aggregation.server_dynamic import Dynamic
from models.aggregation.server_momentum import Momentum
from models.aggregation.server_yogi import Yogi

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class ServerOptimizer(Protocol):
    """What the rounds of a task need of a server optimizer."""

    name: ClassVar[str]

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of what it remembers, in the order in which they are kept."""

    def initial_moments(self, size: int) -> tuple[Float32, ...]:
        """The moments float32[size] before the first step."""

    def step(self, base: Float32, delta: Float64, moments: tuple[Float32, ...]) -> tuple[Float32, tuple[Float32, ...]]:
        """New model and new moments, float32[n], from the base model, the aggregate and the moments so far.

        Raises ValueError for shapes that differ and another number of moments.
        """


_OPTIMIZERS: tuple[type[ServerOptimizer], ...] = (Momentum, Adagrad, Adam, Yogi, Dynamic)
SERVER_OPTIMIZERS: Mapping[str, type[ServerOptimizer]] = {kind.name: kind for kind in _OPTIMIZERS}


def parse_server_optimizer(text: str | Mapping[str, Any]) -> ServerOptimizer | None:
    """Server optimizer from its JSON, or the mapping it stands for; None for the empty text: the aggregate is added as
    it is. Raises ValueError that names what is wrong."""
    if text == "":
        return None
    return construct("server optimizer", SERVER_OPTIMIZERS, read_object(text, "server optimizer"))
