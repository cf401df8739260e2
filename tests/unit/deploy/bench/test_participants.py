"""The participants of a measurement, over a broker that is a dictionary."""

import io
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deploy.bench import participants as module
from deploy.bench.participants import Group, open_rounds, random_delta
from fluvial.edge import Participant, TransportUnavailable
from fluvial.identity.keys import SigningKey
from fluvial.wire.layout import num_elements
from tests.unit.fluvial.edge.world import LAYOUT, TASK, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

NUM = 5


@pytest.fixture
def world() -> World:
    federation = a_federation()
    return World(federation, MemoryTransport(topic_partitions(federation)))


@pytest.fixture
def group(world: World, tmp_path: Path, request):
    """One participant uploads at a time."""
    names = [f"p{number}" for number in range(NUM)]
    everyone = [
        Participant(world.federation, name, SigningKey.generate(), tmp_path / f"{name}.sqlite", world.transport)
        for name in names
    ]
    deltas = [random_delta(tmp_path / f"{name}.delta", name, num_elements(LAYOUT)) for name in names]
    with ThreadPoolExecutor(NUM) as threads:
        yield Group(threads, everyone, deltas, at_once=1, hold=request.param)
    for participant in everyone:
        participant.close()


def reported(capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    return Counter(json.loads(line)["event"] for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("group", [False], indirect=True)
def test_every_participant_contributes_and_reports_each_step(group: Group, world: World, capsys) -> None:
    group.contribute(world.open_round())
    assert len(world.transport.messages(world.topics.updates)) == NUM
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert Counter(line["event"] for line in lines) == {"uploaded": NUM, "published": NUM}
    for line in lines:
        if line["event"] == "uploaded":
            assert line["downloaded"] <= line["uploading"] <= line["time"]


@pytest.mark.parametrize("group", [True], indirect=True)
def test_envelopes_wait_until_all_have_uploaded(group: Group, world: World, monkeypatch) -> None:
    """They would wait for ever if one who holds an envelope back kept the next from uploading."""
    seen: list[int] = []
    # Whoever takes what was printed while others print may lose some of it.
    events: list[str] = []
    monkeypatch.setattr(module, "report", lambda event, *_, **__: events.append(event))

    def wait_for(command: str) -> None:
        while events.count("uploaded") < NUM:
            time.sleep(0.001)
        seen.append(len(world.transport.messages(world.topics.updates)))

    monkeypatch.setattr(module, "wait_for", wait_for)
    group.contribute(world.open_round())
    assert seen == [0]
    assert len(world.transport.messages(world.topics.updates)) == NUM


@pytest.mark.parametrize("group", [False], indirect=True)
def test_a_failure_is_reported_at_once(group: Group, world: World, capsys) -> None:
    round_ = world.open_round()
    world.transport.fail_produce_after(3)
    with pytest.raises(TransportUnavailable, match="away"):
        group.contribute(round_)
    assert reported(capsys)["failed"] >= 1


def test_rounds_are_followed_to_the_last(world: World) -> None:
    world.open_round()
    found = []
    for round_ in open_rounds(world.transport, world.federation, TASK, 3):
        found.append((round_.round, round_.attempt))
        if round_.round < 3:
            world.open_round(number=round_.round + 1, attempt=2)
    assert found == [(1, 1), (2, 2), (3, 2)]


def test_a_delta_is_small_and_everybodys_own(tmp_path: Path) -> None:
    one, again, other = (
        random_delta(tmp_path / f"{number}", name, 3 << 20) for number, name in enumerate(("a", "a", "b"))
    )
    assert one.shape == (3 << 20,)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert float(np.abs(one).max()) < 0.1


def test_it_ends_when_the_other_side_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(SystemExit) as end:
        module.wait_for("start")
    assert end.value.code == 0
