"""Taking the stages of a job that is about to run."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

import psutil

from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Lease, LeaseCause
from pipelines.config import Settings
from pipelines.flink import cluster
from pipelines.flink.leases import LeaseLog, take
from pipelines.flink.log_reader import ends
from pipelines.flink.transactions import BrokersTransactions
from pipelines.topology import STAGES


def take_stages(
    settings: Settings,
    job_name: str,
    stages: Sequence[str],
    *,
    take_over: bool = False,
    gone: Collection[int] = (),
    cause: LeaseCause = LeaseCause.FREE,
) -> Settings:
    """The settings with the job's lease. See `pipelines.flink.leases.take`; the job's environment must exist, because
    its jar fences. Raises StagesHeld, TransportError, OSError without the aggregator's key."""
    began = time.monotonic()
    key = SigningKey.load(settings.keys_dir / "aggregator.pem")
    # What submits elsewhere ends when that is done; a cluster of this process ends with it.
    process = psutil.Process() if cluster.is_local() else None
    wanted = Lease(
        epoch=0,
        stages=tuple(stages),
        job=job_name,
        host=socket.gethostname(),
        pid=os.getpid() if process else 0,
        process_started_ms=int(process.create_time() * 1000) if process else 0,
        cause=cause,
        taken_ms=0,
    )
    holding = take(
        LeaseLog(settings.brokers, settings.topics, key.public_key),
        wanted,
        key,
        BrokersTransactions(settings.brokers),
        topic_prefix=settings.topic_prefix,
        take_over=take_over,
        gone=gone,
        restores=settings.restore_from is not None,
    )
    # What lies behind these ends is the job's own: its operators do not wait for one another's transactions.
    written = {getattr(settings.topics, attribute) for stage in stages for attribute in STAGES[stage].writes}
    holding = replace(holding, ends=ends(settings.brokers, sorted(written)))
    print(f"lease {holding.epoch} of {', '.join(stages)} taken in {time.monotonic() - began:.2f} s", flush=True)
    return settings.model_copy(update={"holding": holding})
