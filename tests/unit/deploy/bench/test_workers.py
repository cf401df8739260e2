from pathlib import Path

import pytest

from deploy.bench.workers import Workers

_ECHO = """
import json, sys
def say(event, **more): print(json.dumps({"event": event, "round": 1, "time": 0.0, **more}), flush=True)
say("ready")
say(sys.stdin.readline().strip())
"""


def test_processes_are_told_and_heard(tmp_path: Path) -> None:
    with Workers([["-c", _ECHO], ["-c", _ECHO]], directory=tmp_path) as workers:
        assert len(workers.wait_for_all("ready", 1, 30)) == 2
        workers.tell_all("published")
        assert [each["event"] for each in workers.wait_for_all("published", 1, 30)] == ["published"] * 2
        assert len(workers.pids) == 2


def test_a_process_that_fails_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="participant 1: ended"),
        Workers([["-c", "import sys; sys.exit('no broker')"]], directory=tmp_path) as workers,
    ):
        workers.wait_for_all("ready", 1, 30)
    assert "no broker" in (tmp_path / "participants.log").read_text()


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with (
        pytest.raises(TimeoutError, match="1 participants have not published"),
        Workers([["-c", _ECHO]], directory=tmp_path) as workers,
    ):
        workers.wait_for_all("published", 1, 0.2)


def test_a_process_may_host_several_who_all_report(tmp_path: Path) -> None:
    program = _ECHO.replace('say("ready")', 'say("ready"); say("ready")')
    with Workers([["-c", program], ["-c", _ECHO]], directory=tmp_path, hosted=[2, 1]) as workers:
        assert len(workers.wait_for_all("ready", 1, 30)) == 3
        with pytest.raises(TimeoutError, match="3 participants have not published"):
            workers.wait_for_all("published", 1, 0.2)
