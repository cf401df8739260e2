"""What becomes of the archives of Java classes where a machine is too slow to write them."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import write_class_archives
from deploy.machine.errors import StackError

NEVER_ENDS = "trap '' TERM; echo ready; sleep 60; true"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[int]:
    """A process with a child by the name of java that does not end when asked."""
    java = tmp_path / "java"
    java.symlink_to(str(shutil.which("bash")))
    command = ["bash", "-c", f'"{java}" -c "{NEVER_ENDS}" & wait']
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        yield parent.pid
        os.killpg(parent.pid, signal.SIGKILL)


def test_java_that_does_not_end_is_an_error_in_words(job: int) -> None:
    with pytest.raises(StackError, match=r"has not written its archive after 0\.1 s"):
        write_class_archives.end_its_java(job, 0.1)


def test_a_failure_leaves_nothing_half_written_and_the_archives_that_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "classes"
    folder.mkdir()
    (folder / "broker.jsa").touch()
    monkeypatch.setattr(write_class_archives, "FOLDER", folder)

    def fails(new: Path) -> None:
        (new / "client.jsa").touch()
        raise StackError("no")

    monkeypatch.setattr(write_class_archives, "_start_and_end", fails)
    with pytest.raises(StackError):
        write_class_archives.write()
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.jsa")] == ["classes/broker.jsa"]
