"""The federations of the convergence study, and what each learns over rounds or simulated time.

Three studies: `rounds` (McMahan et al., 2017, table 2: local work and how the data are divided), `optimizers` (Reddi et
al., 2021: server optimizers where participants have two labels each), `stragglers` (Nguyen et al., 2022: synchronous
rounds and buffered asynchronous aggregation, where some participants take many times as long as others).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Any

from fluvial.edge.training.config import TrainingConfig
from models.aggregation.rule import parse_rule
from models.aggregation.server_optimizer import parse_server_optimizer
from models.aggregation.staleness import Polynomial
from tests.benchmarks.convergence_data import Digits
from tests.benchmarks.simulation.buffered import Buffered
from tests.benchmarks.simulation.durations import Durations
from tests.benchmarks.simulation.learning import Learning, Point
from tests.benchmarks.simulation.optimised import Optimised
from tests.benchmarks.simulation.server import Server, applied
from tests.benchmarks.simulation.synchronous import Rounds

MODEL = {"image_size": 28, "classes": 10, "channels": 8, "hidden": 48, "mean": 0.13, "deviation": 0.31}
"""The network of the task digits: 21,162 parameters."""
DURATIONS = Durations(between=0.8, within=0.5)
STALENESS = Polynomial(0.5)
TARGET = 10
BATCH_SIZE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One federation of a study.

    versions, time: where it ends, whichever comes first; no time is counted without stragglers. invited: participants
    asked in a round, or training at once if `buffered`. optimizer: as a task file writes it; None adds the aggregate.
    """

    study: str
    name: str
    split: str
    versions: int
    epochs: int = 1
    learning_rate: float = 0.1
    invited: int = TARGET
    optimizer: Mapping[str, Any] | None = None
    buffered: bool = False
    time: float = 0.0
    seed: int = 0

    def points(self, digits: Digits) -> Iterator[Point]:
        """The model after each round or buffer."""
        training = TrainingConfig(epochs=self.epochs, batch_size=BATCH_SIZE, learning_rate=self.learning_rate)
        learning = Learning(
            parameters=MODEL,
            pool=digits.pool,
            evaluation=digits.evaluation,
            split=digits.split(self.split, self.seed),
            training=training,
            seed=self.seed,
        )
        server = Server(
            rule=parse_rule({"name": "weighted_mean"}),
            target=min(TARGET, learning.num_participants // 2),
            max_weight=learning.max_weight,
            staleness=STALENESS,
        )
        if self.buffered:
            window = Buffered(concurrency=self.invited, server=server, durations=DURATIONS, seed=self.seed)
            return self._until_end(window.run(learning))
        invited = min(self.invited, learning.num_participants)
        durations = DURATIONS if self.time else None
        rounds = Rounds(invited=invited, server=server, durations=durations, seed=self.seed)
        optimizer = parse_server_optimizer(self.optimizer or "")
        return self._until_end(rounds.run(learning, Optimised(optimizer) if optimizer else applied))

    def _until_end(self, points: Iterator[Point]) -> Iterator[Point]:
        return islice(takewhile(lambda point: point.time <= self.time, points), self.versions)


def _local_work() -> list[Run]:
    return [
        Run(study="rounds", name=f"{split}, E = {epochs}", split=split, epochs=epochs, versions=versions)
        for split, epochs, versions in (
            ("chance", 1, 60),
            ("chance", 5, 20),
            ("writers", 1, 60),
            ("writers", 5, 20),
            ("labels", 1, 100),
            ("labels", 5, 30),
        )
    ]


OPTIMIZERS: Mapping[str, Mapping[str, Any] | None] = {
    "FedAvg": None,
    "FedAvgM": {"name": "momentum", "learning_rate": 0.3, "momentum": 0.9},
    "FedAdagrad": {"name": "adagrad", "learning_rate": 0.03},
    "FedAdam": {"name": "adam", "learning_rate": 0.01},
    "FedYogi": {"name": "yogi", "learning_rate": 0.01},
}


def _optimizers() -> list[Run]:
    return [
        Run(study="optimizers", name=name, split="labels", versions=60, optimizer=optimizer)
        for name, optimizer in OPTIMIZERS.items()
    ]


def _stragglers() -> list[Run]:
    rounds = Run(study="stragglers", name="rounds of 10", split="writers", time=120.0, versions=150)
    buffers = replace(rounds, name="buffer of 10, 10 training", buffered=True)
    return [
        rounds,
        replace(rounds, name="rounds, first 10 of 13", invited=13),
        buffers,
        replace(buffers, name="buffer of 10, 20 training", invited=20),
    ]


RUNS = (*_local_work(), *_stragglers(), *_optimizers())
