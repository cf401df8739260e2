"""What the subtasks of validation share in a process, as a part of the job's resources there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from pydantic import ValidationError

from fluvial.admission.judgement import NeedsEvidence
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import ModelUpdate, Round
from fluvial.wire.task_file import TaskFile
from governance.admission.uploads import is_own_chunk
from pipelines.config import Settings
from pipelines.flink import process_resources
from pipelines.flink.checked_chunks import CheckedChunks
from pipelines.flink.process_end import skipping_destructors
from pipelines.flink.process_resources import ProcessResources
from pipelines.flink.published_models import read_chunks
from pipelines.validation.candidate_scores import CandidateScores, Scorer, Vector
from pipelines.validation.catching_up import CatchingUp
from pipelines.validation.committed import read_known, read_on
from pipelines.validation.content_checks import ContentChecks
from pipelines.validation.known import Known

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Process:
    """known: from the log, and what has come since. checks: of content. scores: of candidates. checked: whose digests
    were found true. catching_up: with what the log says of what is lacking."""

    known: Known
    checks: ContentChecks
    scores: CandidateScores
    checked: CheckedChunks
    catching_up: CatchingUp


def start(settings: Settings, resources: ProcessResources) -> Process:
    """Raises LogUnreadable."""
    began_ms = time.time_ns() // 1_000_000
    known = read_known(settings)
    updates = resources.reader(settings.topics.update_blobs, "validation", cached=True, check_crcs=False)
    models = resources.reader(settings.topics.model_blobs, "validation")

    def is_own(update: ModelUpdate, key: bytes | None) -> bool:
        return is_own_chunk(update, key, lambda name: known.trusted.participant(name) is not None)

    def announce(needs: NeedsEvidence, index: int, chunk: bytes) -> None:
        resources.announcements.announce(needs.round, index, needs.record_sha256, needs.update, chunk)

    def task_file(task: str) -> TaskFile | None:
        record = known.trusted.task(task)
        return None if record is None else read_task_file(record.specification)

    def read_base(round_: Round) -> Vector:
        return np.frombuffer(read_chunks(models, round_.base_chunks), dtype="<f4").astype(np.float32, copy=False)

    def make_scores() -> CandidateScores:
        return CandidateScores(task_file, read_base, updates.chunk, partial(make_scorer, settings))

    def make_catching_up() -> CatchingUp:
        return CatchingUp(lambda: read_on(settings, known), began_ms)

    return Process(
        known,
        resources.part(ContentChecks, lambda: ContentChecks(updates.record, is_own, announce), ContentChecks.close),
        resources.part(CandidateScores, make_scores, CandidateScores.close),
        resources.checked,
        resources.part(CatchingUp, make_catching_up, CatchingUp.close),
    )


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
    with skipping_destructors():
        return _made_scorer(settings, task_file)


def _made_scorer(settings: Settings, task_file: TaskFile) -> Scorer:
    from fluvial.edge.packages import Packages
    from fluvial.edge.training.data_files import load_evaluation
    from fluvial.edge.training.task_code import TaskCode
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
    return scorer


def acquire(settings: Settings, attempt: int = 0) -> Process:
    """The process's, made by the first subtask that asks. Each calls `release` when it closes. Raises LogUnreadable."""
    resources = process_resources.acquire(settings, attempt)
    try:
        return resources.part(Process, lambda: start(settings.of_attempt(attempt), resources))
    except BaseException:
        process_resources.release(settings, attempt)
        raise


def release(settings: Settings, attempt: int = 0) -> None:
    """The counterpart of `acquire`."""
    process_resources.release(settings, attempt)
