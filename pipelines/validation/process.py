"""What the subtasks of validation share in a process, from the first that opens to the last that closes.

Each submission of the job has its own, so nothing of one that was cancelled is left for the next: no thread, no
consumer, no record under check, and nothing known that was read before.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from pydantic import ValidationError

from fluvial.admission.judgement import NeedsEvidence
from fluvial.wire.records import ModelUpdate, Round
from fluvial.wire.task_file import TaskFile
from governance.admission.uploads import is_own_chunk
from pipelines.config import Settings
from pipelines.flink.blobs import BlobReader
from pipelines.flink.checked_chunks import ANNOUNCED
from pipelines.flink.manifests import read_chunks
from pipelines.flink.process_end import skip_destructors
from pipelines.validation.candidate_scores import CandidateScores, Scorer, Vector
from pipelines.validation.catching_up import CatchingUp
from pipelines.validation.committed import read_known, read_on
from pipelines.validation.content_checks import ContentChecks
from pipelines.validation.known import Known

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Process:
    """known: from the log, and what has come since. checks: of content. scores: of candidates. catching_up: with what
    the log says of what is lacking. close: ends threads and consumers."""

    known: Known
    checks: ContentChecks
    scores: CandidateScores
    catching_up: CatchingUp
    close: Callable[[], None]


def start(settings: Settings) -> Process:
    """Raises LogUnreadable."""
    began_ms = time.time_ns() // 1_000_000
    known, topic = read_known(settings), settings.topics.update_blobs
    catching_up = CatchingUp(lambda: read_on(settings, known), began_ms)
    reader = BlobReader(
        settings.brokers,
        topic,
        cache_bytes=settings.chunk_cache_bytes,
        timeout_ms=settings.read_timeout_ms,
        check_crcs=False,
    )
    log = f"{settings.brokers} {topic}"

    def is_own(update: ModelUpdate, key: bytes | None) -> bool:
        return is_own_chunk(update, key, lambda name: known.trusted.participant(name) is not None)

    def announce(needs: NeedsEvidence, index: int, chunk: bytes) -> None:
        ANNOUNCED.announce(log, needs.round, index, needs.record_sha256, needs.update, chunk)

    checks = ContentChecks(reader.record, is_own, announce)
    models = BlobReader(
        settings.brokers, settings.topics.model_blobs, cache_bytes=0, timeout_ms=settings.read_timeout_ms
    )

    def task_file(task: str) -> TaskFile | None:
        record = known.trusted.task(task)
        return None if record is None else read_task_file(record.specification)

    def read_base(round_: Round) -> Vector:
        return np.frombuffer(read_chunks(models, round_.base_chunks), dtype="<f4").astype(np.float32, copy=False)

    scores = CandidateScores(task_file, read_base, reader.chunk, partial(make_scorer, settings))

    def close() -> None:
        catching_up.close()
        checks.close()
        scores.close()
        reader.close()
        models.close()

    return Process(known, checks, scores, catching_up, close)


@lru_cache(maxsize=256)
def read_task_file(specification: str) -> TaskFile | None:
    """The file in a task's record; None where it is none (then the task does not run either)."""
    try:
        return TaskFile.model_validate_json(specification)
    except ValidationError as error:
        _log.warning("a task in the registry has no readable file: %s", error)
        return None


def make_scorer(settings: Settings, task_file: TaskFile) -> Scorer:
    """What scores a task's candidates. Brings in torch: seconds, which tasks without scoring do not take. Raises
    ValueError for a canary set that is not there or does not fit."""
    from fluvial.edge.packages import Packages
    from fluvial.edge.training.task_code import TaskCode
    from models.datasets import load_evaluation
    from models.evaluation.scoring import CandidateScorer

    spec = task_file.scoring
    assert spec is not None
    canary = load_evaluation(settings.repository_root / spec.canary, spec.canary)
    state = TaskCode.of(task_file, Packages(settings.packages)).state()
    scorer = CandidateScorer(
        state,
        canary.inputs[: spec.max_examples],
        canary.targets[: spec.max_examples],
        device=settings.device,
    )
    scorer.base(state.flatten())  # what torch makes at its first use is made
    skip_destructors()
    return scorer


_shared: dict[tuple[str, str, str], tuple[Process, int]] = {}
_lock = threading.Lock()


def acquire(settings: Settings, make: Callable[[Settings], Process] = start) -> Process:
    """The process's, made by the first subtask that asks. Each calls `release` when it closes."""
    key = _key(settings)
    with _lock:
        process, num_users = _shared.get(key) or (make(settings), 0)
        _shared[key] = process, num_users + 1
        return process


def release(settings: Settings) -> None:
    """The counterpart of `acquire`."""
    key = _key(settings)
    with _lock:
        process, num_users = _shared.pop(key)
        if num_users > 1:
            _shared[key] = process, num_users - 1
            return
        process.close()


def _key(settings: Settings) -> tuple[str, str, str]:
    return str(settings.brokers), settings.topic_prefix, settings.submission
