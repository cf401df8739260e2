"""A job's settings go through a file to its cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.identity.brokers import Brokers
from pipelines.config import Settings


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
