"""Whole histories through the auditor: whatever strangers write anywhere, an honest federation stays verified; whatever
is taken out of it or changed, it is not; and nothing makes the auditor itself fail."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from fluvial.auditor.check_history import check_history
from fluvial.auditor.prove import prove
from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.wire.errors import VerificationError
from tests.laws.effort import examples
from tests.laws.mutations import mutated
from tests.unit.fluvial.auditor.test_honest_logs import furnished_world
from tests.unit.fluvial.auditor.world import World

HONEST = furnished_world()
WRITTEN_BY_STAGES = ("audit", "verdicts", "receipts", "releases", "models", "variants", "promotions")
"""Topics of which each record has its leaf, and none may lack or be another."""
ALL = (*WRITTEN_BY_STAGES, "checkpoints", "rounds", "registry", "updates", "enrolments")
VALUES = tuple(record.value or b"" for name in ALL for record in HONEST.kept[getattr(HONEST.topics, name)])
INPUTS = ("updates", "enrolments")


def a_copy() -> World:
    return replace(HONEST, kept={topic: list(records) for topic, records in HONEST.kept.items()})


def audit(world: World) -> Report:
    return verify(world, world.federation, now_ms=world.now_ms)


@cache
def honest_root() -> str:
    return audit(HONEST).root


def messages(report: Report) -> list[str]:
    return [f"{problem.check} {problem.where} {problem.message}" for problem in report.problems]


@st.composite
def junk(draw: st.DrawFn) -> bytes:
    """Bytes of any kind, a copy of any record of the federation, or something near to one."""
    genuine = draw(st.sampled_from(VALUES))
    return draw(st.one_of(st.just(genuine), st.just(b""), st.binary(max_size=100), mutated(genuine, VALUES)))


@examples(15)
@given(st.lists(st.tuples(st.sampled_from(ALL), junk(), st.sampled_from([b"anna", b"", b"participant/anna", b"\xff"]))))
def test_strangers_keep_nobody_from_an_answer(written: list[tuple[str, bytes, bytes]]) -> None:
    """Behind what is there: the inputs among it are not judged yet."""
    world = a_copy()
    for name, value, key in written:
        world.append(getattr(world.topics, name), value, key)
    report = audit(world)
    assert report.verified, messages(report)
    assert report.root == honest_root()
    proof, _ = prove(world, world.federation, 3)
    assert proof


@examples(15)
@given(st.sampled_from([name for name in ALL if name not in INPUTS]), st.data())
def test_what_a_stranger_writes_between_the_stages_records_changes_nothing(name: str, data: st.DataObject) -> None:
    world = a_copy()
    records = world.kept[getattr(world.topics, name)]
    at = data.draw(st.integers(0, len(records)))
    records.insert(at, records[0]._replace(offset=10_000 + at, value=data.draw(junk()), key=b"anna"))
    report = audit(world)
    assert report.verified, messages(report)
    assert report.root == honest_root()


@examples(15)
@given(st.sampled_from((*WRITTEN_BY_STAGES, *INPUTS)), st.data())
def test_nothing_can_be_taken_out(name: str, data: st.DataObject) -> None:
    world = a_copy()
    records = world.kept[getattr(world.topics, name)]
    del records[data.draw(st.integers(0, len(records) - 1))]
    assert not audit(world).verified


@examples(15)
@given(st.sampled_from((*WRITTEN_BY_STAGES, *INPUTS)), st.data())
def test_nothing_can_be_changed(name: str, data: st.DataObject) -> None:
    world = a_copy()
    records = world.kept[getattr(world.topics, name)]
    at = data.draw(st.integers(0, len(records) - 1))
    value = data.draw(junk())
    records[at] = records[at]._replace(value=value)
    report = audit(world)
    genuine = HONEST.kept[getattr(world.topics, name)]
    assert report.verified == (value == (genuine[at].value or b""))


@examples(15)
@given(st.dictionaries(st.tuples(st.sampled_from(ALL), st.integers(0, 30)), junk(), max_size=8))
def test_the_auditor_answers_whatever_the_topics_hold(changes: dict[tuple[str, int], bytes]) -> None:
    world = a_copy()
    for (name, at), value in changes.items():
        records = world.kept[getattr(world.topics, name)]
        records[at % len(records)] = records[at % len(records)]._replace(value=value)
    report = audit(world)
    assert report.num_problems >= len(report.problems)
    check_history(world, world.federation)
    with suppress(VerificationError):
        prove(world, world.federation, 3)
