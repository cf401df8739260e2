"""A submission's name, and the settings file that a job reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.federation.directory import DataDirectory
from deploy.federation.keys import LOG_ORIGIN, ServiceKeys
from deploy.jobs.submission import LocalJob, Submission
from fluvial.identity.brokers import Brokers
from pipelines.config import Settings


def directory_with_federation(root: Path) -> DataDirectory:
    directory = DataDirectory(root)
    keys = ServiceKeys.load_or_make(directory.keys)
    keys.federation(Brokers(bootstrap_servers="127.0.0.1:9092"), topic_prefix="x.", partitions=2).save(
        directory.federation_file
    )
    return directory


def test_a_job_is_named_after_its_stages() -> None:
    assert Submission(stages=("validation", "aggregation")).job_name == "validation-aggregation"


@pytest.mark.parametrize("stages", [(), ("validation", "validation"), ("no-such-stage",)])
def test_stages_that_do_not_exist_or_repeat_are_refused(stages: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="stage"):
        Submission(stages=stages)


@pytest.mark.parametrize("name", ["../elsewhere", "a b", "-x", "A"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Submission(stages=("audit",), name=name)


def test_the_settings_file_says_what_the_federation_says(tmp_path: Path) -> None:
    directory = directory_with_federation(tmp_path)
    submission = Submission(stages=("audit",), name="one", parallelism=2, settings={"device": "cpu"})
    file, settings = submission.write(directory, directory.federation())
    assert Settings.load(file) == settings
    assert (settings.brokers.bootstrap_servers, settings.topic_prefix, settings.partitions) == (
        "127.0.0.1:9092",
        "x.",
        2,
    )
    assert (settings.log_origin, settings.parallelism, settings.device) == (LOG_ORIGIN, 2, "cpu")
    assert settings.restore_from is None
    assert submission.arguments() == ["--stages", "audit", "--name", "one"]


def test_a_job_starts_from_the_log_whatever_checkpoints_there_are_unless_one_is_named(tmp_path: Path) -> None:
    directory = directory_with_federation(tmp_path)
    checkpoint = directory.checkpoints / "audit" / "run" / "chk-7"
    checkpoint.mkdir(parents=True)
    with pytest.raises(ValueError, match="no savepoint and no complete checkpoint"):
        Submission(stages=("audit",), savepoint=checkpoint)
    (checkpoint / "_metadata").touch()
    _, settings = Submission(stages=("audit",)).write(directory, directory.federation())
    assert settings.restore_from is None
    _, settings = Submission(stages=("audit",), savepoint=checkpoint).write(directory, directory.federation())
    assert settings.restore_from == checkpoint


def test_a_setting_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    directory = directory_with_federation(tmp_path)
    with pytest.raises(ValueError, match="no_such_setting"):
        Submission(stages=("audit",), settings={"no_such_setting": 1}).write(directory, directory.federation())


def test_a_job_that_was_not_started_has_nothing_to_stop(tmp_path: Path) -> None:
    job = LocalJob(directory_with_federation(tmp_path), Submission(stages=("audit",)))
    assert job.pid is None
    job.stop()
