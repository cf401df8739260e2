"""What `fluvial status` says of jobs."""

from typing import Any

import pytest

from deploy.commands import status_page

STACKTRACE = """org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.runtime.Task.run(Task.java:1)
Caused by: java.lang.RuntimeException: the operator failed
\tat org.fluvial.Some.where(Some.java:2)
Caused by: pemja.core.PythonException: <class 'KeyError'>: 'what it cannot stand'
\tat pemja.core.object.PyIterator.next(Native Method)
"""


NOTHING: dict[str, Any] = {
    "broker": {"bootstrap_servers": "127.0.0.1:1", "password_servers": "", "security": "PLAINTEXT"},
    "flink": None,
    "processes": [],
    "restarts": 0,
    "topics": [],
    "jobs": [],
    "holders": [],
    "stalled": [],
    "lag": [],
    "tasks": [],
    "set_aside": {},
    "quarantined": {},
}


def test_a_lost_transaction_is_told_with_who_lost_it(capsys: pytest.CaptureFixture[str]) -> None:
    def holder(job: str, cause: str) -> dict[str, object]:
        return {"stages": ["audit"], "job": job, "host": "here", "cause": cause, "since_ms": 1_000, "heard_ms": 0}

    status_page.show({**NOTHING, "holders": [holder("log", "TRANSACTION_LOST"), holder("gate", "FREE")]})
    told = [line for line in capsys.readouterr().out.splitlines() if "aborted what it had prepared" in line]
    assert [line.split()[0] for line in told] == ["log"]


def test_a_job_that_failed_is_shown_with_its_innermost_cause(capsys: pytest.CaptureFixture[str]) -> None:
    def job(name: str, failure: str) -> dict[str, object]:
        return {"name": name, "job_id": "1", "state": "RESTARTING", "duration_ms": 1000, "last_failure": failure}

    status_page.show({**NOTHING, "jobs": [job("gate", STACKTRACE), job("log", ""), job("plain", "one line alone")]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "broker  127.0.0.1:1 (plain)"
    told = [line for line in lines if "has failed" in line]
    assert told == [
        "gate has failed, last with: pemja.core.PythonException: <class 'KeyError'>: 'what it cannot stand'",
        "plain has failed, last with: one line alone",
    ]


def test_a_lag_is_told_with_what_it_counts(capsys: pytest.CaptureFixture[str]) -> None:
    status_page.show({**NOTHING, "lag": [{"group": "fluvial.gate", "topic": "fluvial.updates", "lag": 17}]})
    told = " ".join(capsys.readouterr().out.split())
    assert "17" in told
    assert "have not said to have read" in told


def test_a_job_without_checkpoints_is_told_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    stall = {"job": "gate", "seconds": 47.2, "reason": "No space left on device: /somewhere"}
    status_page.show({**NOTHING, "stalled": [stall]})
    told = capsys.readouterr().out
    assert "gate has completed no checkpoint for 47 s" in told
    assert "No space left on device: /somewhere" in told.replace("\n", " ")


def test_no_id_is_cut_off_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page.console.console, "width", 80)
    name, job_id = "validation-aggregation-evaluation-acceleration-audit", "0123456789abcdef" * 2
    job = {"name": name, "job_id": job_id, "state": "RUNNING", "duration_ms": 1, "last_failure": ""}
    status_page.show({**NOTHING, "jobs": [job]})
    out = capsys.readouterr().out
    assert "…" not in out
    cells = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if line.startswith("│")]
    assert "".join(row[1] for row in cells) == name
    assert "".join(row[2] for row in cells) == job_id


HOLDER = {"stages": ["audit"], "job": "log", "host": "here", "cause": "FREE", "since_ms": 1_000, "heard_ms": 0}
CLUSTER = {"url": "http://127.0.0.1:2", "free_slots": 1}


def test_a_cluster_that_has_only_just_begun_is_not_told_that_there_never_was_a_job(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status_page.show({**NOTHING, "flink": CLUSTER, "holders": [HOLDER]})
    told = capsys.readouterr().out
    assert "this cluster has no job. Who held the stages last" in told
    assert "goes on from the log" in told


def test_who_has_submitted_nothing_yet_is_told_how(capsys: pytest.CaptureFixture[str]) -> None:
    status_page.show({**NOTHING, "flink": CLUSTER})
    assert "nobody has held a stage yet: `fluvial submit` begins" in capsys.readouterr().out
    status_page.show(NOTHING)
    assert "no cluster runs here" in capsys.readouterr().out


def test_what_records_behind_means_stands_at_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    status_page.show({**NOTHING, "lag": [{"group": "log", "topic": "events", "lag": 2}]})
    assert "idle ones say so within ten seconds" in capsys.readouterr().out
