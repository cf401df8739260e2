from typing import Any

import pytest

from deploy.cluster.rest import RestClient


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> RestClient:
    client = RestClient("http://nowhere")
    monkeypatch.setattr(client, "_call", lambda path, method="GET": answer)
    return client


def test_a_task_manager_counts_once_its_slots_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else a submission would see no free slot, and ask for a TaskManager that nobody needs.
    registered = answering(monkeypatch, {"taskmanagers": 1, "slots-total": 0, "slots-available": 0})
    assert registered.num_task_managers() == 0
    ready = answering(monkeypatch, {"taskmanagers": 1, "slots-total": 1, "slots-available": 1})
    assert ready.num_task_managers() == 1


def test_a_job_that_never_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answering(monkeypatch, {"timestamps": {"RESTARTING": 0}}).last_restart_ms("job") == 0
    assert answering(monkeypatch, {"timestamps": {"RESTARTING": 17}}).last_restart_ms("job") == 17
