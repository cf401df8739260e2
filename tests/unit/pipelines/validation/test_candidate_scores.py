"""Evidence by inference: many updates of one round are one batch."""

import threading
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from fluvial.encoding.partial_sum import scale_of
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import Decision, Reason
from fluvial.wire.task_file import TaskFile
from pipelines.validation import candidate_scores
from pipelines.validation.candidate_scores import CandidateScores
from tests.unit.governance.admission import builders
from tests.unit.governance.admission.builders import DELTA, an_inline_update, an_update, inline_round
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.validation.stage import ValidationStage

SPEC = {key: value for key, value in SPECIFICATION.items() if key != "acceleration"}


def a_task_file(**scoring):
    return TaskFile.model_validate({**SPEC, "task": "demo", "scoring": {"canary": "canary.safetensors", **scoring}})


@dataclass
class Scorer:
    """Scores a candidate by the sum of its update. hold: kept shut until `release`."""

    batches: list = field(default_factory=list)
    bases: int = 0
    open_: threading.Event = field(default_factory=threading.Event)

    def base(self, model):
        self.bases += 1
        return SimpleNamespace(loss=1.0, recall={0: 1.0}), np.ones_like(model)

    def score(self, model, deltas, step):
        assert self.open_.wait(10)
        self.batches.append(len(deltas))
        return [SimpleNamespace(loss=1.0 + float(d.sum()), recall={0: 0.5}, cosine=0.25) for d in deltas]


def needs(offset, update=None):
    source = builders.a_source(offset=offset)
    return SimpleNamespace(source=source, update=update or an_inline_update(), round=inline_round())


@pytest.fixture
def scorer():
    return Scorer()


@pytest.fixture
def make(scorer):
    made = []

    def make(task_file=None, read_chunk=lambda reference: b"", make_scorer=lambda task_file: scorer, base=None):
        task_file = task_file or a_task_file()
        scores = CandidateScores(
            lambda task: task_file,
            base or (lambda round_: np.zeros(round_.num_elements, np.float32)),
            read_chunk,
            make_scorer,
        )
        made.append(scores)
        return scores

    yield make
    scorer.open_.set()
    for scores in made:
        scores.close()


def finding(scores, place):
    deadline = time.monotonic() + 10
    while not scores.ready(place):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return scores.settle(place)


def values(found):
    return {score.name: score.value for score in found.scores}


def test_updates_that_wait_are_scored_together_and_their_model_is_read_once(make, scorer):
    scores = make()
    waiting = [needs(number) for number in range(5)]
    for one in waiting:
        scores.submit(one)
    scorer.open_.set()
    found = [finding(scores, one.source.place) for one in waiting]
    assert sum(scorer.batches) == 5
    assert len(scorer.batches) <= 2  # the thread may have begun with the first
    assert scorer.bases == 1
    assert values(found[0])["canary.loss_change"] == pytest.approx(float(DELTA.sum()))
    assert all(one == found[0] for one in found)


def test_what_is_withdrawn_is_not_waited_for(make, scorer):
    scores = make()
    first, second = needs(1), needs(2)
    scores.submit(first)
    scores.submit(second)
    scores.withdraw(second.source.place)
    scores.withdraw(second.source.place)
    scorer.open_.set()
    assert finding(scores, first.source.place).fault is None


def test_a_task_without_scoring_waits_for_nothing(make):
    scores = make(TaskFile.model_validate(SPEC))
    one = needs(1)
    scores.submit(one)
    assert scores.ready(one.source.place)
    assert scores.settle(one.source.place).scores == ()


def test_what_the_cluster_lacks_refuses_nobody(make, scorer):
    scorer.open_.set()

    def fails(task_file):
        raise ValueError("there is no data at canary.safetensors")

    def gone(*arguments):
        raise ChunkUnavailable("gone")

    chunked = an_update()
    for scores, update in (
        (make(make_scorer=fails), None),
        (make(base=gone), None),
        (make(read_chunk=gone), chunked),
    ):
        one = needs(1, update)
        scores.submit(one)
        found = finding(scores, one.source.place)
        assert (found.fault, found.scores) == (None, ())


def test_chunks_that_are_gone_cost_nobody_else_a_score(make, scorer):
    """Whoever could make one of a batch unreadable would bring all of it past the canary set."""
    lost = an_update(chunks=an_update().chunks[:1])

    def read(reference):
        raise ChunkUnavailable("gone")

    scores = make(read_chunk=read)
    others = [needs(1), needs(2, lost), needs(3)]
    for one in others:
        scores.submit(one)
    scorer.open_.set()
    found = [finding(scores, one.source.place) for one in others]
    assert [bool(each.scores) for each in found] == [True, False, True]


def test_a_sum_is_scored_by_the_mean_that_it_stands_for(make, scorer):
    """Any participant may send in the encoding of a region, and would not be scored."""
    scorer.open_.set()
    round_ = inline_round()
    weight = 7
    integers = np.round(DELTA.astype(np.float64) * weight * 2.0**round_.fraction_bits).astype("<i8")
    update = an_inline_update(round_=round_)
    scales = (scale_of(weight, round_.fraction_bits),)
    a_sum = replace(update, encoding="partial_sum", inline=integers.tobytes(), scales=scales, weight=weight)
    scores, one = make(), needs(1, a_sum)
    scores.submit(one)
    found = finding(scores, one.source.place)
    assert values(found)["canary.loss_change"] == pytest.approx(float(DELTA.sum()))


def test_a_broker_that_does_not_answer_is_asked_again(make, scorer, monkeypatch):
    monkeypatch.setattr(candidate_scores, "_PAUSE_S", 0.05)
    scorer.open_.set()
    asked = []

    def base(round_):
        asked.append(round_)
        if len(asked) == 1:
            raise TimeoutError("no answer")
        return np.zeros(round_.num_elements, np.float32)

    scores = make(base=base)
    one = needs(1)
    scores.submit(one)
    assert finding(scores, one.source.place).scores
    assert len(asked) == 2


def test_a_bug_in_scoring_is_told_where_the_update_waits(make, scorer):
    def breaks(model):
        raise KeyError("bug")

    scorer.base = breaks
    scores = make()
    one = needs(1)
    scores.submit(one)
    with pytest.raises(KeyError, match="bug"):
        finding(scores, one.source.place)


@pytest.mark.parametrize(("limit", "reason"), [(1000.0, Reason.ACCEPTED), (0.001, Reason.LOW_SCORE)])
def test_a_verdict_carries_the_scores_and_holds_what_is_beyond_a_limit(scorer, limit, reason):
    scorer.open_.set()
    with ValidationStage(a_task_file(max_loss_increase=limit), scorer) as stage:
        round_ = inline_round(attempt=3)
        stage.announce(round_)
        stage.send([builders.sealed(an_inline_update(round_=round_))])
        stage.settle()
        (verdict,) = stage.verdicts
        assert verdict.reason is reason
        assert values(verdict)["canary.cosine"] == 0.25
        assert verdict.norm > 0
        assert bool(stage.accepted) == (reason is Reason.ACCEPTED)
        if reason is Reason.LOW_SCORE:
            assert verdict.decision is Decision.QUARANTINE
            assert len(stage.quarantined) == 1
