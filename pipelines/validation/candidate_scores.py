"""Evidence by inference: what each update would make of the round's model, on the task's canary set.

Updates that wait for the same round are scored together by a thread of the process: their model is read once, their
candidates are a batch. What cannot be scored (no canary set here, chunks that are gone since they were checked) has no
score and is told in the log; an update is never refused for what the cluster lacks.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fluvial import encoding
from fluvial.admission.judgement import NeedsEvidence, Place
from fluvial.encoding import Span
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import ChunkReference, ModelUpdate, Round
from fluvial.wire.task_file import TaskFile
from governance.admission.evidence import Finding
from governance.admission.score_limits import finding

Vector = NDArray[np.float32]


class Score(Protocol):
    """What a candidate is worth: `models.evaluation.scoring.CandidateScore`."""

    @property
    def loss(self) -> float: ...
    @property
    def recall(self) -> Mapping[int, float]: ...
    @property
    def cosine(self) -> float: ...


class Scorer(Protocol):
    """What scores: `models.evaluation.scoring.CandidateScorer`, which brings in torch."""

    def base(self, model: Vector) -> tuple[Score, Vector]: ...
    def score(self, model: Vector, deltas: Sequence[Vector], step: Vector) -> Sequence[Score]: ...


ReadUpdate = Callable[[ChunkReference], bytes | memoryview]
"""A chunk of an update. Raises ChunkUnavailable, TimeoutError."""

ReadModel = Callable[[Round], Vector]
"""A round's base model, float32[D]. Raises ChunkUnavailable, TimeoutError."""

MakeScorer = Callable[[TaskFile], Scorer]
"""Raises ValueError where the task's canary set is not there or does not fit."""

AT_ONCE = 64
"""Candidates of one batch: their updates are in memory together."""

_NOTHING = Finding()
_PAUSE_S = 1.0
_MODELS = 4
_log = logger(__name__)


@dataclass(slots=True, eq=False)
class _Claim:
    needs: NeedsEvidence
    found: Finding | None = None
    error: Exception | None = None
    is_withdrawn: bool = False


class CandidateScores:
    """Evidence of kind score. The subtasks of a process share one, and close it together.

    task_file: the file of a task, None for one that is not known."""

    def __init__(
        self,
        task_file: Callable[[str], TaskFile | None],
        read_model: ReadModel,
        read_chunk: ReadUpdate,
        make_scorer: MakeScorer,
    ) -> None:
        self._task_file, self._read_model, self._read_chunk = task_file, read_model, read_chunk
        self._make_scorer = make_scorer
        self._claims: dict[Place, _Claim] = {}
        self._waiting: list[_Claim] = []
        self._scorers: dict[str, tuple[TaskFile, Scorer | None]] = {}
        self._bases: OrderedDict[tuple[str, bytes], tuple[Vector, Score, Vector]] = OrderedDict()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def at_once(self, needs: NeedsEvidence) -> Finding | None:
        """Of a task that wants no scores there is nothing to do. A region's sum is scored by the mean that it stands
        for: any participant may send in that encoding, too."""
        task_file = self._task_file(needs.update.task)
        return None if task_file is not None and task_file.scoring is not None else _NOTHING

    def submit(self, needs: NeedsEvidence) -> None:
        """Begin to score an update."""
        place = needs.source.place
        if place in self._claims:
            self.withdraw(place)
        claim = _Claim(needs, self.at_once(needs))
        if claim.found is not None:
            self._claims[place] = claim
            return
        with self._changed:
            self._claims[place] = claim
            self._waiting.append(claim)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="candidate-scores", daemon=True)
                self._thread.start()
            self._changed.notify()

    def ready(self, place: Place) -> bool:
        claim = self._claims[place]
        return claim.found is not None or claim.error is not None

    def settle(self, place: Place) -> Finding:
        claim = self._claims.pop(place)
        if claim.error is not None:
            raise claim.error
        assert claim.found is not None
        return claim.found

    def withdraw(self, place: Place) -> None:
        with self._changed:
            claim = self._claims.pop(place, None)
            if claim is not None:
                claim.is_withdrawn = True

    def close(self) -> None:
        """Ends the thread, after the batch that it scores."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(30)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                first = self._waiting[0].needs
                batch = [claim for claim in self._waiting if _same_model(claim.needs, first)][:AT_ONCE]
                self._waiting = [claim for claim in self._waiting if claim not in batch]
            batch = [claim for claim in batch if not claim.is_withdrawn]
            try:
                self._score(batch)
            except TimeoutError as error:
                _log.warning("%d candidates wait for a broker that does not answer: %s", len(batch), error)
                with self._changed:
                    self._waiting += batch
                time.sleep(_PAUSE_S)
            except Exception as error:  # told in the operator that waits for it
                for claim in batch:
                    claim.error = error

    def _score(self, batch: list[_Claim]) -> None:
        if not batch:
            return
        round_ = batch[0].needs.round
        task_file = self._task_file(round_.task)
        scorer = None if task_file is None else self._scorer(task_file)
        try:
            base = None if scorer is None else self._base(round_, scorer)
        except ChunkUnavailable as error:
            _log.warning("%s round %d: candidates without scores: %s", round_.task, round_.round, error)
            base = None
        if scorer is None or base is None or task_file is None or task_file.scoring is None:
            for claim in batch:
                claim.found = Finding()
            return
        deltas = list(self._deltas(batch))
        if not deltas:
            return
        model, of_base, step = base
        scores = scorer.score(model, [delta for _, delta in deltas], step)
        for (claim, _), score in zip(deltas, scores, strict=True):
            claim.found = finding(
                task_file.scoring,
                loss=score.loss,
                base_loss=of_base.loss,
                recall=score.recall,
                base_recall=of_base.recall,
                cosine=score.cosine,
            )

    def _scorer(self, task_file: TaskFile) -> Scorer | None:
        known = self._scorers.get(task_file.task)
        if known is None or known[0] is not task_file:
            try:
                known = task_file, self._make_scorer(task_file)
            except ValueError as error:
                _log.error("%s: no candidate is scored: %s", task_file.task, error)
                known = task_file, None
            self._scorers[task_file.task] = known
        return known[1]

    def _base(self, round_: Round, scorer: Scorer) -> tuple[Vector, Score, Vector]:
        """The round's model, its score and the canary set's own step from it."""
        key = round_.task, round_.base_digest
        if key not in self._bases:
            model = self._read_model(round_)
            self._bases[key] = model, *scorer.base(model)
            while len(self._bases) > _MODELS:
                self._bases.popitem(last=False)
        self._bases.move_to_end(key)
        return self._bases[key]

    def _deltas(self, batch: Sequence[_Claim]) -> Iterator[tuple[_Claim, Vector]]:
        """The updates that can be read, decoded: float32[D]. Whose chunks are gone has no score; the others have."""
        for claim in batch:
            try:
                yield claim, decoded(claim.needs.update, claim.needs.round, self._read_chunk)
            except ChunkUnavailable as error:
                # The content check has read them: retention was faster. The verdict says what is known.
                _log.warning("%s/%d@%d has no score: %s", *claim.needs.source.place, error)
                claim.found = Finding()


def decoded(update: ModelUpdate, round_: Round, read: ReadUpdate) -> Vector:
    """An update as numbers, float32[D]. Raises what `read` raises."""
    codec = encoding.get(update.encoding)
    if update.inline is not None:
        return np.asarray(codec.decode(update.inline, Span.of(round_, 0), update.scales), np.float32)
    parts = [
        np.asarray(codec.decode(read(chunk), Span.of(round_, index), update.scales), np.float32)
        for index, chunk in enumerate(update.chunks)
    ]
    return np.concatenate(parts)


def _same_model(first: NeedsEvidence, second: NeedsEvidence) -> bool:
    return (first.round.task, first.round.base_digest) == (second.round.task, second.round.base_digest)
