"""The convergence study trains: simulated rounds and buffers."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import Dataset
from models.aggregation.rule import parse_rule
from models.aggregation.staleness import Polynomial
from tests.benchmarks.simulation.buffered import Buffered
from tests.benchmarks.simulation.durations import Durations
from tests.benchmarks.simulation.learning import Learning
from tests.benchmarks.simulation.server import Server
from tests.benchmarks.simulation.splits import by_chance
from tests.benchmarks.simulation.synchronous import Rounds

SERVER = Server(rule=parse_rule({"name": "weighted_mean"}), target=3, max_weight=100, staleness=Polynomial(0.5))
DURATIONS = Durations(between=0.8, within=0.5)


class Recorded(Learning):
    """Remembers who trained from which version."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        targets = random.integers(0, 2, 160)
        inputs = 0.2 * random.random((160, 1, 9, 9), np.float32)
        inputs[:, :, :4] += targets.astype(np.float32)[:, None, None, None]
        pool = Dataset(inputs=inputs, targets=targets)
        super().__init__(
            parameters={"image_size": 9, "classes": 2, "channels": 4, "hidden": 8},
            pool=pool,
            evaluation=pool,
            split=by_chance(160, 16, seed=0),
            training=TrainingConfig(epochs=2, batch_size=5, learning_rate=0.1),
            seed=0,
        )
        self.trained: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def train(
        self, bases: NDArray[np.float32], participants: Sequence[int], versions: Sequence[int]
    ) -> NDArray[np.float32]:
        self.trained.append((tuple(participants), tuple(versions)))
        return super().train(bases, participants, versions)


def test_synchronous_rounds_learn_and_are_the_same_again() -> None:
    rounds = Rounds(invited=3, server=SERVER)
    points = list(islice(rounds.run(Recorded()), 10))
    assert points == list(islice(rounds.run(Recorded()), 10))
    assert [(point.version, point.updates, point.time) for point in points[:2]] == [(1, 3, 0.0), (2, 6, 0.0)]
    assert max(point.accuracy for point in points) > 0.7


def test_over_invitation_takes_the_first_and_does_not_wait_for_the_slowest() -> None:
    def lasts(invited: int) -> float:
        return list(islice(Rounds(invited=invited, server=SERVER, durations=DURATIONS).run(Recorded()), 10))[-1].time

    assert lasts(6) < 0.7 * lasts(3)


def test_a_buffer_takes_updates_of_several_versions_and_never_of_one_to_come() -> None:
    learning = Recorded()
    points = list(islice(Buffered(concurrency=6, server=SERVER, durations=DURATIONS).run(learning), 12))
    assert [point.version for point in points] == list(range(1, 13))
    assert [point.time for point in points] == sorted(point.time for point in points)
    assert all(len(participants) == 3 for participants, _ in learning.trained)
    lags = [version - base for version, (_, bases) in enumerate(learning.trained) for base in bases]
    assert min(lags) == 0
    assert max(lags) >= 2
    assert max(point.accuracy for point in points) > 0.7


def test_buffers_apply_more_updates_in_the_same_time_than_rounds() -> None:
    rounds = list(islice(Rounds(invited=3, server=SERVER, durations=DURATIONS).run(Recorded()), 10))[-1]
    buffers = list(islice(Buffered(concurrency=3, server=SERVER, durations=DURATIONS).run(Recorded()), 10))[-1]
    assert buffers.updates / buffers.time > 1.3 * rounds.updates / rounds.time
