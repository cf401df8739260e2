"""Whatever a federation of honest stages does keeps the invariants; whatever breaks one of them is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fluvial.auditor.history import History
from fluvial.transparency.event import Recorded
from fluvial.wire.records import (
    Contribution,
    Decision,
    ModelManifest,
    Outcome,
    Reason,
    Receipt,
    RoundEvent,
    RoundTransition,
    Verdict,
)
from tests.laws.effort import examples

UPDATES, ENROLMENTS, TASK = "updates", "enrolments", "task"
FATES = ("included", "excluded", "late", "refused", "repeated", "junk")


@dataclass
class Told:
    """All that is told of a federation, before it is folded."""

    inputs: list[tuple[str, int, int]] = field(default_factory=list)
    written: list[Verdict] = field(default_factory=list)
    leaves: list[Recorded] = field(default_factory=list)
    manifests: list[ModelManifest] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)

    def violations(self, *, is_running: bool = False) -> set[str]:
        history = History(ENROLMENTS, is_running)
        for source in self.inputs:
            history.input(source)
        for verdict in self.written:
            history.written_verdict(verdict)
        for record in self.leaves:
            history.leaf(record)
        for manifest in self.manifests:
            history.manifest(manifest)
        for size in self.checkpoints:
            history.checkpoint(size, is_of_this_log=True)
        return {violation.invariant for violation in history.violations()}

    def judge(self, name: str, number: int, decision: Decision, reason: Reason, attempt: int = 1) -> Verdict:
        source = (UPDATES, 0, len(self.inputs))
        self.inputs.append(source)
        verdict = Verdict(
            source_topic=UPDATES,
            source_partition=0,
            source_offset=source[2],
            source_timestamp_ms=0,
            record_sha256=sha256(f"{name}/{number}/{attempt}".encode()).digest(),
            participant=name,
            task=TASK,
            round=number,
            attempt=attempt,
            update_id=f"{name}-{number}-{attempt}",
            decision=decision,
            reason=reason,
            norm=0.0,
            max_abs=0.0,
        )
        self.written.append(verdict)
        self.leaves.append(verdict)
        return verdict

    def answer(self, verdict: Verdict, outcome: Outcome, version: int = 0) -> None:
        self.leaves.append(
            Receipt(
                task=TASK,
                round=verdict.round,
                attempt=verdict.attempt,
                participant=verdict.participant,
                update_id=verdict.update_id,
                outcome=outcome,
                version=version,
                weight=1,
                model_digest=b"",
            )
        )

    def open_round(self, number: int, attempt: int = 1) -> None:
        self.leaves.append(
            RoundEvent(
                task=TASK,
                round=number,
                attempt=attempt,
                transition=RoundTransition.OPENED,
                num_updates=0,
                base_version=number - 1,
            )
        )


def a_manifest(number: int, parts: list[tuple[Verdict, bool]]) -> ModelManifest:
    return ModelManifest(
        task=TASK,
        version=number,
        parent_version=number - 1,
        parent_digest=b"",
        round=number,
        attempt=1,
        rule="",
        server_optimizer="",
        staleness="",
        optimizer_chunks=(),
        partial=False,
        fraction_bits=1,
        total_weight=1,
        layout=(),
        num_elements=1,
        chunk_elements=1,
        chunks=(),
        model_digest=b"",
        contributions=tuple(
            Contribution(
                participant=verdict.participant,
                update_id=verdict.update_id,
                source_partition=verdict.source_partition,
                source_offset=verdict.source_offset,
                record_sha256=verdict.record_sha256,
                weight=1,
                selected=selected,
                effective_weight=int(selected),
                round=verdict.round,
            )
            for verdict, selected in parts
        ),
        created_ms=0,
    )


@st.composite
def honest(draw: st.DrawFn, min_rounds: int = 1) -> Told:
    """Rounds of some participants, of whom each has some fate; a round may fail once before it makes a model."""
    told = Told()
    for number in range(1, draw(st.integers(min_rounds, 4)) + 1):
        if draw(st.booleans()):
            told.open_round(number, 1)
            for name in draw(st.sets(st.sampled_from("abc"), max_size=2)):
                told.answer(told.judge(name, number, Decision.ACCEPT, Reason.ACCEPTED, 1), Outcome.ROUND_FAILED)
            told.open_round(number, 2)
        else:
            told.open_round(number, 2)
        parts: list[tuple[Verdict, bool]] = []
        for index, fate in enumerate(draw(st.lists(st.sampled_from(FATES), max_size=5))):
            name = f"participant-{index}"
            match fate:
                case "included" | "excluded":
                    parts.append((told.judge(name, number, Decision.ACCEPT, Reason.ACCEPTED, 2), fate == "included"))
                case "late":
                    told.answer(told.judge(name, number, Decision.ACCEPT, Reason.ACCEPTED, 2), Outcome.LATE)
                case "refused":
                    told.judge(name, number, Decision.REJECT, Reason.NON_FINITE, 2)
                case "repeated":
                    told.answer(told.judge(name, number, Decision.ACCEPT, Reason.ACCEPTED, 2), Outcome.LATE)
                    told.judge(name, number, Decision.DUPLICATE, Reason.DUPLICATE_IGNORED, 2)
                case _:
                    told.judge("", 0, Decision.REJECT, Reason.ENVELOPE, 0)
        for verdict, selected in parts:
            told.answer(verdict, Outcome.INCLUDED if selected else Outcome.EXCLUDED, number)
        told.manifests.append(a_manifest(number, parts))
        told.checkpoints.append(len(told.leaves))
    return told


@given(honest())
def test_honest_histories_keep_the_invariants(told: Told) -> None:
    assert not told.violations()
    assert not told.violations(is_running=True)


@given(honest(), st.integers(0, 5))
def test_what_is_under_way_breaks_nothing_while_the_federation_runs(told: Told, number: int) -> None:
    """The newest inputs have no verdict yet, and the newest verdict has no leaf."""
    told.inputs += [(UPDATES, 0, len(told.inputs) + more) for more in range(number)]
    assert not told.violations(is_running=True)
    assert (told.violations() == {"I1"}) == (number > 0)


# One thing that goes wrong, and the invariant that it breaks; None where the history does not have what it needs.

Fault = Callable[[Told, Callable[[int], int]], str | None]


def lose_a_verdict(told: Told, pick: Callable[[int], int]) -> str | None:
    """One that is not the newest: that might still come."""
    at = pick(len(told.written) - 1)
    verdict = told.written.pop(at)
    told.leaves.remove(verdict)
    used = any(part.source_offset == verdict.source_offset for each in told.manifests for part in each.contributions)
    return "I6" if used else "I1"


def judge_twice(told: Told, pick: Callable[[int], int]) -> str | None:
    told.written.append(told.written[pick(len(told.written))])
    return "I1"


def judge_otherwise(told: Told, pick: Callable[[int], int]) -> str | None:
    told.written.append(replace(told.written[pick(len(told.written))], norm=7.0))
    return "I1"


def judge_what_was_never_published(told: Told, pick: Callable[[int], int]) -> str | None:
    told.judge("x", 1, Decision.REJECT, Reason.SIGNATURE)
    told.inputs.pop()
    return "I1"


def lose_a_leaf(told: Told, pick: Callable[[int], int]) -> str | None:
    told.leaves.remove(told.written[pick(len(told.written))])
    return "I4"


def count_an_update_twice(told: Told, pick: Callable[[int], int]) -> str | None:
    full = [each for each in told.manifests if each.contributions]
    if not full:
        return None
    one = full[pick(len(full))]
    told.manifests.append(replace(one, version=99))
    return "I2"


def leave_an_update_out_without_a_word(told: Told, pick: Callable[[int], int]) -> str | None:
    """And open two rounds after it."""
    verdict = told.judge("x", 1, Decision.ACCEPT, Reason.ACCEPTED)
    for number in (90, 91):
        told.open_round(number)
    assert verdict.decision is Decision.ACCEPT
    return "I2"


def answer_twice(told: Told, pick: Callable[[int], int]) -> str | None:
    receipts = [each for each in told.leaves if isinstance(each, Receipt)]
    if not receipts:
        return None
    told.leaves.append(replace(receipts[pick(len(receipts))], outcome=Outcome.ROUND_FAILED))
    return "I2"


def say_that_it_was_late_and_use_it(told: Told, pick: Callable[[int], int]) -> str | None:
    places = [n for n, each in enumerate(told.leaves) if isinstance(each, Receipt) and each.version]
    if not places:
        return None
    at = places[pick(len(places))]
    told.leaves[at] = replace(told.leaves[at], outcome=Outcome.LATE)  # type: ignore[type-var]
    return "I2"


def sign_fewer_leaves(told: Told, pick: Callable[[int], int]) -> str | None:
    told.checkpoints.append(told.checkpoints[-1] - 1)
    return "I5"


def use_what_was_refused(told: Told, pick: Callable[[int], int]) -> str | None:
    refused = [each for each in told.written if each.decision is Decision.REJECT]
    if not refused:
        return None
    told.manifests.append(a_manifest(99, [(refused[pick(len(refused))], True)]))
    return "I8"


def answer_what_was_refused(told: Told, pick: Callable[[int], int]) -> str | None:
    told.answer(told.judge("x", 1, Decision.REJECT, Reason.NON_FINITE), Outcome.LATE)
    return "I8"


def use_what_nobody_judged(told: Told, pick: Callable[[int], int]) -> str | None:
    verdict = replace(told.written[0], source_offset=10_000)
    told.manifests.append(a_manifest(99, [(verdict, True)]))
    return "I6"


FAULTS: tuple[Fault, ...] = (
    lose_a_verdict,
    judge_twice,
    judge_otherwise,
    judge_what_was_never_published,
    lose_a_leaf,
    count_an_update_twice,
    leave_an_update_out_without_a_word,
    answer_twice,
    say_that_it_was_late_and_use_it,
    sign_fewer_leaves,
    use_what_was_refused,
    answer_what_was_refused,
    use_what_nobody_judged,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@examples(10)
@given(told=honest(min_rounds=2), data=st.data())
def test_whatever_breaks_an_invariant_is_found(fault: Fault, told: Told, data: st.DataObject) -> None:
    assume(len(told.written) > 1)
    broken = fault(told, lambda count: data.draw(st.integers(0, count - 1)))
    assume(broken is not None)
    assert broken in told.violations()


def test_an_accepted_update_that_the_log_refutes_may_be_in_no_aggregate() -> None:
    history = History(ENROLMENTS)
    told = Told()
    verdict = told.judge("a", 1, Decision.ACCEPT, Reason.ACCEPTED)
    for fold, arguments in ((history.input, told.inputs), (history.leaf, told.leaves)):
        for argument in arguments:
            fold(argument)
    source = told.inputs[0]
    history.refuted(source, "its key was revoked")
    assert {each.invariant for each in history.violations()} == set()
    history.manifest(a_manifest(1, [(verdict, True)]))
    assert {each.invariant for each in history.violations()} == {"I2", "I6"}
