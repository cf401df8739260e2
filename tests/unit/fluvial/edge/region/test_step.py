"""What a region does next, as a function of what stands in the logs and in its outbox."""

from dataclasses import replace
from typing import Any

import pytest

from fluvial.edge.region import terms
from fluvial.edge.region.step import Close, End, GiveUp, Keep, Open, Send, View, Wait, step
from fluvial.wire.layout import layout_digest
from fluvial.wire.records import ModelManifest, Round, RoundStatus, TensorLayout, WindowMode
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.region.region_world import TASK_FILE

LAYOUT = (TensorLayout(name="weight", shape=(1050,)),)
REGION = TaskFile.model_validate(TASK_FILE)


def a_round(number: int = 3, attempt: int = 1, **changes: Any) -> Round:
    values: dict[str, Any] = {
        "task": "demo",
        "round": number,
        "attempt": attempt,
        "status": RoundStatus.OPEN,
        "base_version": number - 1,
        "base_digest": bytes([number]) * 32,
        "base_chunks": (),
        "layout": LAYOUT,
        "layout_digest": layout_digest(LAYOUT),
        "num_elements": 1050,
        "chunk_elements": 100,
        "opened_ms": 1_000,
        "deadline_ms": 101_000,
        "quorum": 1,
        "target": 2,
        "max_abs": 10.0,
        "max_norm": 0.0,
        "max_weight": 1000,
        "fraction_bits": 30,
        "kept_versions": 4,
        "rule": '{"name":"weighted_mean"}',
        "server_optimizer": "",
        "optimizer_chunks": (),
        "window": WindowMode.SYNCHRONOUS,
        "grace_ms": 0,
        "max_staleness": 0,
        "staleness": "",
        "seed": bytes(32),
        "invited_fraction": 1.0,
        "partial": False,
        "encodings": ("partial_sum",),
        "agreement": "",
        "training": "{}",
    }
    return Round(**{**values, **changes})


def a_manifest(parent: Round, **changes: Any) -> ModelManifest:
    values: dict[str, Any] = {
        "task": "demo-west",
        "version": parent.round,
        "parent_version": parent.base_version,
        "parent_digest": parent.base_digest,
        "round": parent.round,
        "attempt": 2,
        "rule": '{"name":"weighted_mean"}',
        "server_optimizer": "",
        "staleness": "",
        "fraction_bits": 30,
        "total_weight": 7,
        "layout": LAYOUT,
        "num_elements": 1050,
        "chunk_elements": 100,
        "chunks": (),
        "optimizer_chunks": (),
        "model_digest": bytes(32),
        "contributions": (),
        "partial": True,
        "created_ms": 1,
    }
    return ModelManifest(**{**values, **changes})


def view(parent: Round | None = None, **changes: Any) -> View:
    values: dict[str, Any] = {
        "parent": parent,
        "task": None,
        "manifest": None,
        "name": "west",
        "agrees": True,
        "stored": False,
        "sent": False,
        "seconds": 5.0,
    }
    return View(**{**values, **changes})


def below(parent: Round) -> Any:
    """The region's task as it was registered for this round of the parent."""
    return terms.task_below(REGION, parent, (), 5.0, 1)


def test_a_region_waits_for_its_parent() -> None:
    assert step(view()) == Wait()


def test_a_round_goes_down_and_its_sum_comes_up() -> None:
    parent = a_round()
    manifest = a_manifest(parent)
    assert step(view(parent)) == Open(parent, 5.0)
    assert step(view(parent, task=below(parent))) == Wait()
    assert step(view(parent, task=below(parent), manifest=manifest)) == Keep(parent, manifest)
    assert step(view(parent, task=below(parent), manifest=manifest, stored=True)) == Send(parent)
    assert step(view(parent, task=below(parent), manifest=manifest, stored=True, sent=True)) == Wait()


def test_the_next_round_is_opened_whatever_became_of_the_last_one() -> None:
    before, parent = a_round(3), a_round(4)
    for manifest in (None, a_manifest(before)):
        assert step(view(parent, task=below(before), manifest=manifest)) == Open(parent, 5.0)


def test_a_sum_on_another_model_does_not_count() -> None:
    parent = a_round()
    other = a_manifest(parent, parent_digest=bytes(32))
    assert step(view(parent, task=below(parent), manifest=other)) == Wait()


def test_a_round_on_another_model_is_opened_anew_while_nothing_is_kept_of_it() -> None:
    parent = a_round()
    other = replace(parent, base_digest=bytes(32))
    assert step(view(parent, task=below(other))) == Open(parent, 5.0)


def test_a_further_attempt_is_answered_from_the_outbox_or_waits_for_the_same_sum() -> None:
    first, second = a_round(attempt=1), a_round(attempt=2)
    assert step(view(second, task=below(first))) == Wait()
    assert step(view(second, task=below(first), stored=True)) == Send(second)


@pytest.mark.parametrize("seconds", [0.0, -3.0])
def test_without_time_no_round_is_opened(seconds: float) -> None:
    action = step(view(a_round(), seconds=seconds))
    assert action == GiveUp(a_round(), "its deadline is too near")


def test_a_region_that_is_not_invited_does_nothing() -> None:
    assert step(view(a_round(invited_fraction=0.0))) == Wait()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_weight": 1001}, "weight is 1001"),
        ({"total_weight": 0}, "weight is 0"),
        ({"fraction_bits": 31}, "31 fraction bits"),
        ({"chunk_elements": 50}, "another layout"),
        ({"layout": (TensorLayout(name="weight", shape=(1050, 1)),)}, "another layout"),
    ],
)
def test_a_sum_that_does_not_fit_is_given_up(changes: dict[str, Any], reason: str) -> None:
    parent = a_round()
    action = step(view(parent, task=below(parent), manifest=a_manifest(parent, **changes)))
    assert isinstance(action, GiveUp)
    assert reason in action.reason


def test_the_end_of_the_parents_task_is_said_below_once() -> None:
    last = a_round(status=RoundStatus.FINISHED)
    assert step(view(last, task=below(a_round()))) == Close(last)
    assert step(view(last, task=terms.finished_task(REGION, last, (), 1))) == End(last)
    assert step(view(last)) == End(last), "a region that was never there has nothing to say"


def test_a_task_that_goes_on_after_its_end_is_followed_again() -> None:
    last, more = a_round(3, status=RoundStatus.FINISHED), a_round(4)
    assert step(view(more, task=terms.finished_task(REGION, last, (), 1))) == Open(more, 5.0)


def test_a_region_that_is_ahead_belongs_to_another_parent() -> None:
    with pytest.raises(ValueError, match="round 4 is open below, but the parent is at round 3"):
        step(view(a_round(3), task=below(a_round(4))))


def test_the_region_has_the_files_time_or_most_of_what_the_parent_has_left() -> None:
    assert terms.seconds_below(REGION, a_round(), 1_000) == 10.0
    assert terms.seconds_below(REGION, a_round(), 96_000) == pytest.approx(4.0)
    assert terms.seconds_below(REGION, a_round(), 101_000) == 0.0


def test_a_task_that_fits_passes() -> None:
    terms.check_task(REGION, a_round())
    limited = REGION.model_copy(update={"limits": REGION.limits.model_copy(update={"max_norm": 2.0})})
    terms.check_task(limited, a_round(max_norm=2.0))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"window": WindowMode.BUFFERED}, "the parent's rounds are buffered"),
        ({"encodings": ("float32",)}, "does not take the encoding partial_sum"),
        ({"chunk_elements": 200}, "chunk_elements must be 200"),
        ({"fraction_bits": 31}, "fraction_bits must be 31"),
        ({"max_abs": 9.0}, "max_abs must be at most 9.0"),
        ({"max_norm": 3.0}, "max_norm must be at most 3.0"),
        ({"max_weight": 199}, "must be at most 199"),
        ({"terms": '{"participation":{"min_examples":2}}'}, "min_examples must be at least 2"),
    ],
)
def test_what_does_not_fit_the_parent_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        terms.check_task(REGION, a_round(**changes))


def test_a_task_that_is_not_partial_is_no_region() -> None:
    with pytest.raises(ValueError, match="partial must be true"):
        terms.check_task(REGION.model_copy(update={"partial": False}), a_round())


def test_while_the_parent_is_paused_nothing_is_opened_below_and_a_removed_one_is_over() -> None:
    assert step(view(a_round(status=RoundStatus.PAUSED))) == Wait()
    removed = a_round(status=RoundStatus.REMOVED)
    assert step(view(removed)) == End(removed)


def test_a_region_that_has_withdrawn_the_parents_agreement_opens_and_sends_nothing() -> None:
    parent = a_round(agreement="terms")
    why = "the region has not signed the parent's agreement terms, or has withdrawn it"
    assert step(view(parent, agrees=False)) == GiveUp(parent, why)
    assert step(view(parent, agrees=False, task=below(parent), stored=True)) == GiveUp(parent, why)
