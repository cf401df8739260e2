"""`fluvial region run` between two federations in memory."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from deploy.commands.region import app, as_dict, as_line
from deploy.federation.keys import ServiceKeys
from fluvial.edge.events import Interrupted
from fluvial.edge.region import region as region_module
from fluvial.edge.region.events import Attempted, Event, Followed, Missed, Refused, Summed
from fluvial.identity.brokers import Brokers
from tests.unit.fluvial.edge.region.region_world import KEY, TASK_FILE, RegionWorld
from tests.unit.fluvial.edge.region.test_step import a_manifest, a_round
from tests.unit.fluvial.edge.world import OPERATOR, wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RegionWorld:
    world = RegionWorld(tmp_path)
    monkeypatch.chdir(tmp_path)
    world.below.federation.save(tmp_path / ".fluvial/federation.json")
    world.above.federation.save(tmp_path / "parent.json")
    OPERATOR.save(tmp_path / ".fluvial/keys/operator.pem")
    KEY.save(tmp_path / ".fluvial/keys/west.pem")
    (tmp_path / "west.yaml").write_text(yaml.safe_dump(TASK_FILE))

    def connect(brokers: Brokers, client_id: str) -> Any:
        return world.lower_transport if str(brokers) == "below" else world.upper_transport

    monkeypatch.setattr(region_module, "connect", connect)
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["run", "west.yaml", "--parent", "parent.json", "--name", "west", *arguments])


def play(world: RegionWorld) -> threading.Thread:
    """Both federations, for one round."""
    opened = world.open()

    def others() -> None:
        wait_until(world.registered)
        world.add_up(opened)
        wait_until(world.updates)
        world.finish(1)

    thread = threading.Thread(target=others)
    thread.start()
    return thread


def test_a_round_goes_up(world: RegionWorld) -> None:
    others = play(world)
    result = run("--parent-task", "demo")
    others.join()
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "round 1: opened below for 10 s, on model version 0"
    assert "weight 7" in lines[1]
    assert lines[-2:] == ["the task is finished with model version 1", "sent the sums of 1 round"]
    assert len(world.updates()) == 1


def test_for_programs_every_line_is_json(world: RegionWorld) -> None:
    others = play(world)
    result = run("--parent-task", "demo", "--json")
    others.join()
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0] == {"event": "Followed", "round": 1, "attempt": 1, "seconds": 10.0}
    assert events[-1] == {"event": "done", "task": "demo-west", "rounds": 1}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rule": {"name": "median"}, "quorum": 2}, "must be linear"),
        ({"limits": {**TASK_FILE["limits"], "fraction_bits": 60}}, "only"),
    ],
)
def test_a_task_that_could_not_run_is_refused_before_anything_is_registered(
    world: RegionWorld, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    (tmp_path / "west.yaml").write_text(yaml.safe_dump({**TASK_FILE, **changes}))
    result = run("--parent-task", "demo")
    assert result.exit_code == 2
    assert named in result.output
    assert world.registered() is None


def test_a_region_that_is_not_enrolled_is_told_what_to_do(world: RegionWorld, tmp_path: Path) -> None:
    (tmp_path / ".fluvial/keys/west.pem").unlink()
    result = run()
    assert result.exit_code == 2
    assert "fluvial enrol" in result.output


def test_keys_are_those_of_the_data_directory(world: RegionWorld, tmp_path: Path) -> None:
    (tmp_path / ".fluvial/keys/operator.pem").unlink()
    ServiceKeys.load_or_make(tmp_path / ".fluvial/keys")
    result = run()
    assert result.exit_code == 2
    assert "operator's key" in result.output


@pytest.mark.parametrize(
    ("event", "line", "fields"),
    [
        (Followed(round=a_round(), seconds=5.2), "round 3: opened below for 5 s", {"round": 3, "seconds": 5.2}),
        (Attempted(round=a_round()), "", {"round": 3, "attempt": 1}),
        (Attempted(round=a_round(attempt=2)), "attempt 1 failed, nothing was sent", {"attempt": 2}),
        (Summed(manifest=a_manifest(a_round())), "weight 7", {"round": 3, "weight": 7, "updates": 0}),
        (Missed(round=3), "round 3 of the parent is over without this region", {"round": 3}),
        (Refused(round=3, reason="too near"), "nothing is sent for round 3: too near", {"reason": "too near"}),
        (Interrupted(reason="away"), "trying again: away", {"reason": "away"}),
    ],
)
def test_every_event_has_a_line_and_fields(event: Event, line: str, fields: dict[str, Any]) -> None:
    assert line in as_line(event)
    assert bool(as_line(event)) == bool(line)
    found = as_dict(event)
    assert found["event"] == type(event).__name__
    assert fields.items() <= found.items()
