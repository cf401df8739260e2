"""The writer of chunks of one subtask, under the job's lease."""

from __future__ import annotations

from typing import Any

from pipelines.config import Settings
from pipelines.flink.blobs import BlobWriter
from pipelines.flink.leased_producer import leased_producer

_CONFIG = {"linger.ms": 0, "message.max.bytes": 4 << 20, "queue.buffering.max.kbytes": 16_384}


def chunk_writer(settings: Settings, ctx: Any, topic: str, name: str) -> BlobWriter:
    """ctx: the runtime context of the operator. topic: full name. name: of this writer in the job, lower-case letters.

    Raises LeaseLost when another job holds the stages.
    """
    timeout_ms = settings.read_timeout_ms
    producer = leased_producer(settings, f"{name}-{subtask_of(ctx)}", _CONFIG, timeout_s=timeout_ms / 1000)
    return BlobWriter(producer, topic, timeout_ms=timeout_ms)


def subtask_of(ctx: Any) -> int:
    """Index of the operator's subtask. PyFlink 2.3 lacks it in thread mode, where the context wraps Java's."""
    java = getattr(ctx, "_runtime_context", None)
    return int(java.getTaskInfo().getIndexOfThisSubtask() if java is not None else ctx.get_index_of_this_subtask())
