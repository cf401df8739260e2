"""Settings of a job: what differs between an embedded stack, a session cluster and production.

Loaded once, from JSON, by `pipelines.main`; operators receive the frozen object. It crosses the wire to the
cluster, so it names files that hold secrets and never holds a key itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fluvial.identity.brokers import Brokers
from fluvial.wire.topic_policy import TopicPolicy
from fluvial.wire.topics import Topics
from pipelines.leases.holding import Holding

TRANSACTION_TIMEOUT_MS = 120_000
"""How long a transaction may stay open: readers of committed records wait for it. The longest outage of a job that
loses no transaction; the embedded broker grants nobody more."""


class Settings(BaseModel):
    """One job's settings. Times are milliseconds, sizes bytes, keys lower-case hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brokers: Brokers
    topic_prefix: str = "fluvial."
    federation_id: str = Field(default="", description="Part of what is signed; empty for one of the first release.")
    partitions: int = Field(default=4, ge=1, description="Partitions of update-blobs and of model-blobs: the shards.")
    topic_policy: TopicPolicy = Field(default=TopicPolicy(), description="How long the topics keep what.")

    operator_key: str = Field(description="Public key that signs tasks, agreements and tokens.")
    registrar_key: str = Field(description="Public key that signs enrolled participants.")
    aggregator_key: str = Field(description="Public key that signs rounds and models.")
    log_origin: str = Field(description="Name of the audit log; also the name of the key that signs its checkpoints.")
    keys_dir: Path = Field(description="Folder with registrar.pem, aggregator.pem and log.pem.")

    checkpoint_dir: Path
    checkpoint_interval_ms: int = Field(
        default=300,
        ge=50,
        description="Between checkpoints in the long run, while there is always something to commit; three times that "
        "in a job of validation and aggregation alone, but for models and rounds.",
    )
    submission: str = Field(default="", description="This submission of the job: another one tries each record anew.")
    code: str = Field(default="", description="Digest of the job's code where its processes are not its own.")
    code_folder: Path | None = Field(
        default=None, description="Where that code lies, as long as a process may import from it; else the checkout."
    )
    record_attempts: int = Field(
        default=3, ge=2, description="How often an operator is given a record that it raises on: the last time aside."
    )
    restart_attempts: int = Field(default=30, ge=0, description="Restarts after a failure; 0 fails the job at once.")
    transaction_timeout_ms: int = Field(default=TRANSACTION_TIMEOUT_MS, ge=10_000)
    parallelism: int = Field(default=1, ge=1)
    execution_mode: Literal["thread", "process"] = "thread"
    restore_from: Path | None = Field(default=None, description="Checkpoint or savepoint to start from.")

    max_record_bytes: int = Field(default=1 << 20, ge=1024, description="Largest envelope that is looked at.")
    named_rate: tuple[int, int] = Field(
        default=(256, 32), description="Records at once, and a second, of one participant: more is refused unopened."
    )
    unnamed_rate: tuple[int, int] = Field(
        default=(64, 8), description="Likewise of all names together that are not enrolled, in each partition."
    )
    parking_ms: int = Field(
        default=3_000,
        description="Wait for a round or a participant not heard of; then the log is asked, before it is refused.",
    )
    chunk_cache_bytes: int = Field(default=16 << 20, description="Chunks kept between reading and use, by process.")
    tensor_memory_bytes: int = Field(
        default=512 << 20,
        ge=1 << 20,
        description="Memory for the sums and rows that a subtask of measure or combine works on; what does not fit is "
        "done in bands. The sums of open rounds may take as much again, by process.",
    )
    slice_bytes: int = Field(
        default=64 << 20, ge=1, description="Tensor bytes worked on before other tasks and checkpoints have a turn."
    )
    read_timeout_ms: int = Field(default=20_000, description="Longest wait for one chunk.")
    arrival_wait_ms: int = Field(
        default=500,
        description="Wait after a deadline for updates that the broker had in time to arrive at the window.",
    )
    tree_head_interval_ms: int = Field(default=250, description="Least time between two signed tree heads, ms.")
    device: str = Field(default="auto", description="Device of evaluation, acceleration, inference: auto, cpu, cuda.")
    packages: tuple[Path, ...] = Field(default=(), description="Folders of task packages whose code may run here.")
    repository_root: Path = Field(description="Folder against which a task's evaluation data is resolved.")

    holding: Holding | None = Field(default=None, description="The job's lease, once it has one; not in the file.")

    def held(self) -> Holding:
        """The lease of a job that runs. Raises ValueError before it has one."""
        if self.holding is None:
            raise ValueError("the job has no lease: its stages must be taken before it runs")
        return self.holding

    def of_attempt(self, number: int) -> Settings:
        """As the tasks of an attempt to run the job take them: those of the first alone have not written before."""
        if self.holding is None or not number:
            return self
        return self.model_copy(update={"holding": replace(self.holding, ends={})})

    def former_ends(self, topic: str) -> Mapping[int, int] | None:
        """By partition of a topic (full name) the end of what earlier jobs have written; None where nobody knows."""
        return None if self.holding is None else self.holding.ends.get(topic)

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix, self.federation_id)

    @classmethod
    def load(cls, path: Path) -> Settings:
        return cls.model_validate_json(path.read_text())
