"""What updates may tell of held-out examples, and what is made of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.admission.held_out import MAX_SUMMARIES, MAX_VALUE, Told, held_out_fits, summarise
from fluvial.admission.payload import _is_well_formed
from fluvial.wire.framing import encode
from fluvial.wire.records import HeldOutMetrics, Metric, Release
from fluvial.wire.terms import HeldOutSpec
from tests.unit.fluvial.auditor.world import an_update

SPEC = HeldOutSpec(metrics=["accuracy", "recall"])


def metrics(accuracy: float = 0.5, num_examples: int = 40, attribute: str = "", group: str = "") -> HeldOutMetrics:
    return HeldOutMetrics(
        attribute=attribute, group=group, num_examples=num_examples, metrics=(Metric(name="accuracy", value=accuracy),)
    )


def told(name: str, *measured: HeldOutMetrics, weight: int = 1000, round_: int = 5, version: int = 4) -> Told:
    return Told(participant=name, round=round_, version=version, weight=weight, measured=measured)


@pytest.mark.parametrize(
    "measured",
    [
        (metrics(attribute="site", group="a"),),  # a group alone
        (metrics(), metrics()),  # twice
        (metrics(), metrics(attribute="site", group="a", num_examples=41)),  # more than there are
        (metrics(), metrics(attribute="site", group="a", num_examples=9)),  # of fewer than ten
        (metrics(num_examples=9),),
        (metrics(num_examples=1 << 41),),
        (metrics(), metrics(attribute="site")),
        (metrics(), metrics(attribute="site", group="\x1b[2J")),
        (metrics(), metrics(attribute="site", group="ü" * 33)),
        (replace(metrics(), metrics=()),),
        (replace(metrics(), metrics=(Metric(name="a", value=1.0), Metric(name="a", value=2.0))),),
        (metrics(float("inf")),),
        (metrics(2 * MAX_VALUE),),
        (replace(metrics(), metrics=tuple(Metric(name=f"m{i}", value=0.0) for i in range(257))),),
    ],
)
def test_what_cannot_be_told_makes_an_update_malformed(measured: tuple[HeldOutMetrics, ...]) -> None:
    assert not held_out_fits(measured)
    assert _is_well_formed(an_update("anna", 1))
    assert not _is_well_formed(replace(an_update("anna", 1), measured=measured))


def test_nothing_and_groups_after_the_whole_may_be_told() -> None:
    assert held_out_fits(())
    told = metrics(), metrics(attribute="site", group="north"), metrics(attribute="site", group="south")
    assert held_out_fits(told)
    assert _is_well_formed(replace(an_update("anna", 1), measured=told))


def test_the_mean_is_weighted_and_quantiles_count_each_participant_once() -> None:
    values = [(0.9, 100), (0.8, 10), (0.2, 10), (0.7, 10), (0.6, 10)]
    (found,) = summarise((told(f"p{i}", metrics(value, n)) for i, (value, n) in enumerate(values)), SPEC)
    assert found.mean == pytest.approx((90 + 8 + 2 + 7 + 6) / 140)
    assert (found.p10, found.p25, found.p50, found.p75, found.p90) == (0.2, 0.6, 0.7, 0.8, 0.9)
    assert (found.participants, found.num_examples, found.version, found.metric) == (5, 140, 4, "accuracy")


def test_nobody_weighs_more_than_its_update_does() -> None:
    liar = told("liar", metrics(0.0, num_examples=1 << 40), weight=100)
    (found,) = summarise([liar, *(told(f"p{i}", metrics(1.0, 100), weight=100) for i in range(4))], SPEC)
    assert found.mean == 0.8
    assert found.num_examples == 500


def test_what_too_few_told_or_nobody_was_asked_for_is_not_told_of() -> None:
    group = metrics(attribute="site", group="a", num_examples=20)
    junk = replace(metrics(), metrics=(Metric(name="junk", value=1.0),))
    everybody = [told("a", metrics(), group), told("b", metrics(), group), told("c", metrics()), told("d", junk)]
    assert [(each.group, each.participants) for each in summarise(everybody, SPEC)] == [("", 3)]
    two = SPEC.model_copy(update={"min_participants": 2})
    assert [(each.group, each.participants) for each in summarise(everybody, two)] == [("", 3), ("a", 2)]
    assert summarise(everybody[:2], SPEC) == ()


def test_versions_of_an_asynchronous_window_stand_apart_and_the_newest_update_of_each_counts() -> None:
    before = [told(f"p{i}", metrics(0.1), round_=3, version=2) for i in range(3)]
    again = [told(f"p{i}", metrics(0.2), round_=4, version=2) for i in range(3)]
    now = [told(f"p{i}", metrics(0.3)) for i in range(3)]
    found = summarise([*now, *again, *before], SPEC)
    assert [(each.version, each.p50, each.participants) for each in found] == [(2, 0.2, 3), (4, 0.3, 3)]


def test_names_that_liars_make_up_push_nothing_out_and_a_release_stays_small() -> None:
    made_up = tuple(metrics(attribute="a" * 64, group=f"{i:0>64}") for i in range(200))
    liars = [told(f"liar{i}", metrics(), *made_up) for i in range(3)]
    honest = [told(f"p{i}", metrics(), metrics(attribute="site", group="north")) for i in range(4)]
    found = summarise([*liars, *honest], SPEC)
    assert len(found) == MAX_SUMMARIES
    assert {("", ""), ("site", "north")} <= {(each.attribute, each.group) for each in found}
    release = Release(
        task="t", version=5, model_digest=bytes(32), metrics=(), num_examples=0, device="", duration_ms=0,
        participants=found,
    )  # fmt: skip
    assert len(encode(release)) < 20_000


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(10, 10_000)), min_size=3, max_size=12), st.randoms())
def test_neither_order_nor_a_minority_of_liars_moves_the_median_beyond_what_others_told(values, random) -> None:
    honest = [told(f"p{i}", metrics(value, n)) for i, (value, n) in enumerate(values)]
    liars = [told(f"liar{i}", metrics(random.choice([-MAX_VALUE, MAX_VALUE]))) for i in range((len(values) - 1) // 2)]
    everybody = [*honest, *liars]
    (found,) = summarise(everybody, SPEC)
    random.shuffle(everybody)
    assert summarise(everybody, SPEC) == (found,)
    assert min(value for value, _ in values) <= found.p50 <= max(value for value, _ in values)
