"""What a user is told of a process that did not start."""

from __future__ import annotations

from pathlib import Path

from deploy.machine.errors import start_error

HELD = "error: the stage validation is held by the job first on host, process 7"
TRACE = (
    'ERROR:root:Exception while sending command.\nTraceback (most recent call last):\n  File "java_gateway.py"\n' * 100
)


def test_the_last_word_of_a_job_is_told_whatever_java_and_its_client_have_written_behind_it(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text(f"WARNING: Unknown module\n{HELD}\n{TRACE}")
    told = str(start_error("the job second ended while it started", log, has_last_word=True))
    assert told == (
        "the job second ended while it started: the stage validation is held by the job first on host, process 7\n"
        f"(more in {log})"
    )


def test_without_such_a_word_the_end_of_the_log_is_told(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("java.lang.OutOfMemoryError: Java heap space\n")
    told = str(start_error("the job ended", log, has_last_word=True))
    assert told == f"the job ended\n--- {log}\njava.lang.OutOfMemoryError: Java heap space"
    assert "it wrote no log" in str(start_error("the job ended", tmp_path / "none", has_last_word=True))
