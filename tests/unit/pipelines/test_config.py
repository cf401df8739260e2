"""A job's settings go through a file to its cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.identity.brokers import Brokers
from pipelines.config import Settings
from pipelines.leases.holding import Holding


def settings() -> Settings:
    return Settings(
        brokers=Brokers(bootstrap_servers="127.0.0.1:9092"),
        operator_key="00" * 32,
        registrar_key="01" * 32,
        aggregator_key="02" * 32,
        log_origin="example.org/log",
        keys_dir=Path("/keys"),
        checkpoint_dir=Path("/checkpoints"),
        repository_root=Path("/checkout"),
    )


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    written = settings().model_copy(update={"code": "ab" * 32, "topic_prefix": "x."})
    (tmp_path / "job.json").write_text(written.model_dump_json())
    assert Settings.load(tmp_path / "job.json") == written


def test_a_job_without_a_lease_says_so() -> None:
    with pytest.raises(ValueError, match="its stages must be taken before it runs"):
        settings().held()


def test_what_earlier_jobs_have_written_is_known_to_the_first_tasks_of_a_job_alone() -> None:
    holding = Holding(epoch=1, offset=0, stages=("audit",), secret="0" * 32, ends={"f.audit": {0: 7}})
    leased = settings().model_copy(update={"holding": holding})
    assert settings().former_ends("f.audit") is None
    assert leased.of_attempt(0).former_ends("f.audit") == {0: 7}
    assert leased.of_attempt(0).former_ends("f.rounds") is None
    assert leased.of_attempt(1).former_ends("f.audit") is None, (
        "behind it lies what the job's former tasks have written"
    )
    assert leased.of_attempt(1).held().transactional_id("f.", "sink") == holding.transactional_id("f.", "sink")
