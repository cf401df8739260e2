"""How the embedded broker begins and starts: in the place of Java a program that is said here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.broker import process
from deploy.broker.configuration import Ports
from deploy.broker.process import Broker
from deploy.machine.errors import StartError
from deploy.machine.processes import spawn

FORMATS = "import os; os.makedirs('log', exist_ok=True); open('log/meta.properties', 'w').close(); "
ANSWERS = "open('answers', 'w').close(); import sys; "
STAYS = "import time; time.sleep(60)"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Broker, list[list[str]]]]]:
    """A broker whose processes run these programs, one after the other, and the arguments of each."""
    brokers: list[Broker] = []

    def broker_of(*programs: str) -> tuple[Broker, list[list[str]]]:
        broker, left, started = Broker(tmp_path), list(programs), list[list[str]]()

        def spawned(arguments: list[str]) -> subprocess.Popen[bytes]:
            started.append(arguments)
            return spawn([sys.executable, "-c", left.pop(0)], log=broker.log, environment={}, folder=tmp_path)

        monkeypatch.setattr(broker, "_spawn", spawned)
        monkeypatch.setattr(process, "is_listening", lambda port: True)
        monkeypatch.setattr(process, "_answers", lambda brokers: (tmp_path / "answers").exists())
        brokers.append(broker)
        return broker, started

    yield broker_of
    for broker in brokers:
        broker.kill()


def test_it_begins_with_its_folder_and_the_start_waits_for_its_answer(
    runs: Callable[..., tuple[Broker, list[list[str]]]], tmp_path: Path
) -> None:
    broker, started = runs(FORMATS + ANSWERS + STAYS)
    broker.begin()
    assert (tmp_path / "log" / "meta.properties").exists()
    assert broker.pid is not None
    assert not broker.has_started
    broker.begin()
    broker.start()
    assert broker.has_started
    broker.start()
    ((configuration, cluster_id),) = started
    assert configuration == "server.properties"
    assert len(cluster_id) == 22


def test_who_has_other_things_to_begin_does_not_wait_for_its_folder(
    runs: Callable[..., tuple[Broker, list[list[str]]]], tmp_path: Path
) -> None:
    broker, started = runs("import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n" + ANSWERS + STAYS)
    broker.begin(formatted=False)
    assert broker.pid is not None
    (tmp_path / "go").touch()
    broker.start()
    assert broker.has_started
    assert len(started) == 1


def test_a_folder_that_is_formatted_is_not_formatted_again(
    runs: Callable[..., tuple[Broker, list[list[str]]]],
) -> None:
    broker, started = runs(FORMATS + ANSWERS + STAYS, ANSWERS + STAYS)
    broker.start()
    broker.restart()
    assert [len(arguments) for arguments in started] == [2, 1]


def test_a_folder_that_cannot_be_formatted_is_told_with_the_reason(
    runs: Callable[..., tuple[Broker, list[list[str]]]],
) -> None:
    broker, _ = runs("import sys; print('No space left on device'); sys.exit(3)")
    with pytest.raises(StartError, match=r"(?s)directory could not be formatted.*No space left on device"):
        broker.begin()
    assert broker.pid is None


@pytest.mark.parametrize("begin", [Broker.begin, Broker.start])
def test_one_that_ends_before_it_answers_is_told_with_its_status(
    runs: Callable[..., tuple[Broker, list[list[str]]]], begin: Callable[[Broker], None]
) -> None:
    broker, _ = runs("import sys; sys.exit('no')")
    with pytest.raises(StartError, match=r"(?s)ended while it started \(exit status 1\).*no"):
        begin(broker)
    assert broker.pid is None


def test_a_port_that_was_lost_meanwhile_is_replaced_also_where_the_broker_had_begun(
    runs: Callable[..., tuple[Broker, list[list[str]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [Ports(11, 12, 13), Ports(21, 22, 23)]
    monkeypatch.setattr(process, "free_ports", lambda count: drawn.pop(0))
    broker, started = runs(FORMATS + "import sys; sys.exit('Address already in use')", ANSWERS + STAYS)
    broker.begin()
    broker.start()
    assert broker.bootstrap_servers.endswith(":21")
    assert [len(arguments) for arguments in started] == [2, 1], "its folder is made already"


def test_one_that_makes_no_folder_or_does_not_answer_in_time_is_ended(
    runs: Callable[..., tuple[Broker, list[list[str]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_START_SECONDS", 0.1)
    broker, _ = runs(STAYS, FORMATS + STAYS)
    with pytest.raises(StartError, match="has not made its folder in 0 s"):
        broker.begin()
    assert broker.pid is None
    with pytest.raises(StartError, match="did not answer on port"):
        broker.start()
    assert broker.pid is None


def test_one_that_has_only_begun_is_stopped(runs: Callable[..., tuple[Broker, list[list[str]]]]) -> None:
    broker, started = runs(FORMATS + STAYS, ANSWERS + STAYS)
    broker.begin()
    broker.stop()
    assert broker.pid is None
    broker.start()
    assert [len(arguments) for arguments in started] == [2, 1]
