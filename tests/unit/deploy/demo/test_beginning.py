"""Broker and job begin before all else, and nothing of a run that could not begin goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.broker.process import Broker
from deploy.demo.beginning import Beginning
from deploy.jobs.submission import LocalJob
from deploy.local.stack import Stack
from deploy.machine.errors import StackError


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of broker, stack and job, none of which runs."""
    calls: list[str] = []
    for kind, name in ((Stack, "begin"), (Stack, "stop"), (Broker, "kill"), (LocalJob, "begin"), (LocalJob, "stop")):
        called_name = f"{kind.__name__.lower()} {name}"
        monkeypatch.setattr(kind, name, lambda _, called_name=called_name: calls.append(called_name))
    return calls


@pytest.mark.parametrize("keep", [True, False])
def test_what_began_first_ends_last(called: list[str], tmp_path: Path, keep: bool) -> None:
    with Beginning(tmp_path, [], keep=keep):
        assert called == ["stack begin", "localjob begin"]
    assert called[2:] == ["localjob stop", *([] if keep else ["broker kill"]), "stack stop"]


def test_where_the_job_cannot_begin_the_broker_ends(
    called: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(job: LocalJob) -> None:
        raise StackError("runs already")

    monkeypatch.setattr(LocalJob, "begin", refused)
    with pytest.raises(StackError, match="runs already"), Beginning(tmp_path, []):
        pytest.fail("it began")
    assert called == ["stack begin", "localjob stop", "stack stop"]
