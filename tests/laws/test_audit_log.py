"""The law of the audit log: whatever happens to the job and whoever writes into its topics, the log is the one of an
undisturbed run, every checkpoint is one of it, and each event has one leaf.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.wire.framing import encode
from governance.audit import sequencer
from governance.audit.plain_events import WORTH_IT
from pipelines.config import Settings
from tests.unit.pipelines.audit.audit_world import TOPICS, AuditWorld, event, settings_in

STEPS = [
    "new event",
    "event again",
    "junk event",
    "forged event",
    "junk leaf",
    "forged leaf",
    "leaf of another history",
    "junk checkpoint",
    "old checkpoint again",
    "gap of offsets",
    "deliver events",
    "deliver one event",
    "deliver leaves",
    "deliver one leaf",
    "time passes",
    "checkpoint",
    "checkpoint whose transaction is aborted",
    "failure",
    "failure, and the newest checkpoint is damaged",
    "start without state",
]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        yield settings_in(Path(folder))


class Story:
    """A world to which steps happen; beside it what was told."""

    def __init__(self, settings: Settings, together_from: int) -> None:
        self.world = AuditWorld(settings, together_from)
        self.told: list[int] = []
        self.older = self.world.retained

    def step(self, step: str, number: int) -> None:
        world = self.world
        match step:
            case "new event":
                self.told.append(len(self.told))
                world.send(event(self.told[-1]))
            case "event again":
                if self.told:
                    world.send(event(number % len(self.told)))
            case "junk event":
                world.write(TOPICS.events, b"junk", proven=bool(number % 2))
            case "forged event":
                world.write(TOPICS.events, encode(event(number % 8, participant="mallory")), proven=False)
            case "junk leaf":
                world.write(TOPICS.audit, b"junk", proven=bool(number % 2))
            case "forged leaf":
                world.write(TOPICS.audit, sequencer.append(world.end(), event(900 + number))[1], proven=False)
            case "leaf of another history":
                world.write(TOPICS.audit, sequencer.append(ChainEnd(), event(number))[1], proven=bool(world.chain()))
            case "junk checkpoint":
                world.write(TOPICS.checkpoints, b"junk", proven=bool(number % 2))
            case "old checkpoint again":
                for record in world.topics[TOPICS.checkpoints][:1]:
                    world.write(TOPICS.checkpoints, record.value, b"", *record.headers[:-1], proven=True)
            case "gap of offsets":
                world.skip_offsets(TOPICS.events, 1 + number % 20)
            case "deliver events":
                world.deliver(TOPICS.events)
            case "deliver one event":
                world.deliver(TOPICS.events, 1)
            case "deliver leaves":
                world.deliver(TOPICS.audit)
            case "deliver one leaf":
                world.deliver(TOPICS.audit, 1)
            case "time passes":
                world.pass_time(1 + number * 2_000)
            case "checkpoint" | "checkpoint whose transaction is aborted":
                self.older = world.retained
                world.checkpoint(committed=step == "checkpoint")
            case "failure":
                world.abort()
                world.restart()
            case "failure, and the newest checkpoint is damaged":
                world.abort()
                world.retained = self.older
                world.restart()
            case "start without state":
                world.submit()
                self.older = world.retained


@given(
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 40)), max_size=40),
    together_from=st.sampled_from([1, 3, WORTH_IT]),
)
def test_the_log_is_the_one_of_an_undisturbed_run(
    settings: Settings, steps: list[tuple[str, int]], together_from: int
) -> None:
    story = Story(settings, together_from)
    for step, number in steps:
        story.step(step, number)
    world = story.world
    # The last event wakes what waits for one; then everything comes to rest.
    story.step("new event", 0)
    world.settle()

    undisturbed = AuditWorld(settings, WORTH_IT)
    undisturbed.send(*map(event, story.told))
    undisturbed.settle()
    assert world.chain() == undisturbed.chain()

    tree, roots = CompactRange.empty(), [CompactRange.empty().root()]
    for leaf in world.chain():
        tree = tree.append(leaf_hash(leaf))
        roots.append(tree.root())
    assert all(checkpoint.root == roots[checkpoint.size] for checkpoint in world.checkpoints())
    assert world.signed_size() == len(story.told)
