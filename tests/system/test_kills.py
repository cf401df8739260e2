"""SIGKILL at random points of rounds, and whatever the parallelism: the models are those of an undisturbed run, bit by
bit, every input has one verdict and every update one receipt.

FLUVIAL_KILLS: how many kills (1; `make soak`: 10). FLUVIAL_KILL_SEED: seed of when they come; without it another one
each time, which a failure shows. FLUVIAL_KILL_PARALLELISM: parallelisms that take turns at each start ("2,1").
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.small_federation import KRUM, MEAN, NUM_PARTICIPANTS, NUM_ROUNDS, SmallFederation
from tests.system.test_recovery import check_books, check_replay

NUM_KILLS = int(os.environ.get("FLUVIAL_KILLS", "1"))
PARALLELISM = [int(number) for number in os.environ.get("FLUVIAL_KILL_PARALLELISM", "2,1").split(",")]

pytestmark = [pytest.mark.system, pytest.mark.timeout(300 + 90 * NUM_KILLS)]

COMPOSED = {
    "name": "clipped",
    "max_norm": 2.0,
    "rule": {
        "name": "nearest_neighbour_mixing",
        "num_byzantine": 1,
        "rule": {"name": "trimmed_mean", "num_byzantine": 1},
    },
}
ADAM = {"name": "adam", "learning_rate": 0.1}
TERMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mean": (MEAN, {}),
    "krum": (KRUM, {}),
    "composed": (COMPOSED, {"server_optimizer": ADAM}),
}


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[SmallFederation]:
    """Every chunk is a slice of its own: commands lie in the state while timers carry them on."""
    with SmallFederation(tmp_path, parallelism=PARALLELISM[0], slice_bytes=1) as small:
        small.job.start()
        small.job.wait_until_running()
        yield small


def create(small: SmallFederation, prefix: str) -> list[str]:
    """A task for each of the terms."""
    for name, (rule, fields) in TERMS.items():
        small.create_task(f"{prefix}-{name}", rule, **fields)
    return [f"{prefix}-{name}" for name in TERMS]


def test_models_are_the_same_whenever_the_job_is_killed(federation: SmallFederation) -> None:
    seed = int(os.environ.get("FLUVIAL_KILL_SEED") or secrets.randbits(32))
    print(f"FLUVIAL_KILL_SEED={seed}")
    generator = random.Random(seed)
    calm = create(federation, "calm")
    undisturbed_s = play(federation, calm, range(1, NUM_ROUNDS + 1), generator)
    expected = [digests(federation, task) for task in calm]
    num_killed = 0
    while num_killed < NUM_KILLS:
        storm = create(federation, f"storm-{num_killed}")
        for number in range(1, NUM_ROUNDS + 1):
            if num_killed < NUM_KILLS:
                after_s = generator.uniform(0.0, 1.2 * undisturbed_s / NUM_ROUNDS)
                parallelism = PARALLELISM[(num_killed + 1) % len(PARALLELISM)]
                print(f"kill {num_killed}: {after_s:.3f} s into round {number}, then parallelism {parallelism}")
                federation.kill_and_restart_after(after_s, parallelism)
                num_killed += 1
            play(federation, storm, [number], generator)
            federation.restarted()
        assert [digests(federation, task) for task in storm] == expected
        check_replay(federation, storm[-1], NUM_ROUNDS)
    check_books(federation)


def play(small: SmallFederation, tasks: list[str], numbers: Any, generator: random.Random) -> float:
    """Rounds of all tasks at once, participants in any order, now and then with a pause. Seconds that it took."""
    started = time.monotonic()
    for number in numbers:
        rounds = [small.wait_for_round(task, number) for task in tasks]
        turns = [(round_, who) for round_ in rounds for who in range(NUM_PARTICIPANTS)]
        generator.shuffle(turns)
        for round_, who in turns:
            small.publish(round_, [who])
            if generator.random() < 0.2:
                time.sleep(0.05)
        for task in tasks:
            small.wait_for_version(task, number)
    return time.monotonic() - started


def digests(small: SmallFederation, task: str) -> list[bytes]:
    return [manifest.model_digest for manifest in small.manifests(task)]
