"""Decisions on variants, and their words."""

import pytest

from fluvial.wire.promotion_policy import PromotionPolicy
from governance.promotion.counts import PairedCounts
from governance.promotion.judgement import Decision, GroupVerdict, Measured, judge, of_participants
from governance.promotion.reasons import reason

POLICY = PromotionPolicy(min_group=200)
CLASSES = {"1": "defaulters"}
GROUPS = {"age:50-80": "aged 50 to 80"}


def counts(num_examples, harmed, helped=0, neither=0):
    return PairedCounts(both=num_examples - harmed - helped - neither, harmed=harmed, helped=helped, neither=neither)


def words(judgement, variant="int8_static"):
    return reason(variant, judgement, class_name=lambda c: CLASSES.get(c, c), group_name=lambda g: GROUPS.get(g, g))


def test_a_group_that_loses_holds_a_variant_that_gains_overall():
    judgement = judge(POLICY, {("accuracy", "all"): counts(12_000, 50, 70), ("recall:1", "age:50-80"): counts(266, 21)})
    assert judgement.decision is Decision.HELD
    assert words(judgement) == (
        "held: int8_static loses 7.9 points of recall for defaulters aged 50 to 80 "
        "(21 harmed, 0 helped of 266), margin 2.0"
    )


def test_a_variant_within_every_margin_is_promoted():
    judgement = judge(POLICY, {("accuracy", "all"): counts(12_000, 10, 12), ("recall:1", "age:50-80"): counts(266, 0)})
    assert judgement.decision is Decision.PROMOTED
    assert words(judgement).startswith("promoted: int8_static loses at most 1.1 points of recall for defaulters aged")


def test_too_few_examples_leave_it_undecided_and_the_policy_may_allow_that():
    comparisons = {("accuracy", "all"): counts(65, 4)}
    judgement = judge(POLICY, comparisons)
    assert judgement.decision is Decision.UNDECIDED
    assert words(judgement).startswith("undecided: int8_static may lose up to 13")
    assert words(judgement).endswith("too few examples to tell")
    allowing = POLICY.model_copy(update={"undecided": "allow"})
    assert judge(allowing, comparisons).decision is Decision.PROMOTED


def test_a_group_below_the_least_size_is_undecided_however_well_it_fares():
    policy = PromotionPolicy(margin=0.1, min_group=300)
    (finding,) = judge(policy, {("accuracy", "g"): counts(299, 0)}).findings
    assert finding.verdict is GroupVerdict.UNDECIDED


def test_a_group_that_is_told_by_what_follows_a_noun_has_one():
    judgement = judge(POLICY, {("accuracy", "age:50-80"): counts(266, 21)})
    assert "points of accuracy for those aged 50 to 80 (21 harmed" in words(judgement)


def test_a_declared_comparison_that_nobody_measured_is_undecided():
    judgement = judge(
        POLICY, {("accuracy", "all"): counts(1000, 0)}, required=[("accuracy", "all"), ("accuracy", "women")]
    )
    assert judgement.decision is Decision.UNDECIDED
    assert words(judgement).endswith("for women (0 harmed, 0 helped of 0), margin 2.0: nothing was measured")


def test_a_value_below_its_floor_holds_whatever_the_drop():
    policy = PromotionPolicy(min_group=200, floors={"recall:1": 0.5})
    judgement = judge(policy, {("recall:1", "all"): counts(1000, 0, neither=700)})
    assert judgement.decision is Decision.HELD
    assert words(judgement) == "held: int8_static has 30.0 points of recall for defaulters, below the floor"


def test_margins_hold_by_their_most_specific_name():
    policy = PromotionPolicy(margin=0.02, margins={"recall": 0.03, "size:small": 0.05, "recall:1:size:small": 0.08})
    assert policy.margin_of("accuracy", "all") == 0.02
    assert policy.margin_of("recall:0", "all") == 0.03
    assert policy.margin_of("accuracy", "size:small") == 0.05
    assert policy.margin_of("recall:1", "size:small") == 0.08


def test_as_many_organisations_must_have_measured_as_the_policy_says():
    policy = PromotionPolicy(min_group=200, min_organisations=3)
    comparisons = {("accuracy", "all"): counts(1000, 0)}
    judgement = judge(policy, comparisons, organisations=2)
    assert judgement.decision is Decision.UNDECIDED
    assert words(judgement) == "undecided: 1 more participant must have measured int8_static"
    assert judge(policy, comparisons, organisations=3).decision is Decision.PROMOTED


def test_the_liar_among_three_does_not_decide():
    honest, liar = counts(300, 1), counts(10**9, 0)
    assert of_participants([honest, liar, counts(300, 2)]) == honest


def test_metrics_from_the_bootstrap_are_judged_like_counts():
    fine = Measured(num_examples=1000, value=0.8, drop=0.001, bound=0.01, p_value=0.4)
    harmful = Measured(num_examples=1000, value=0.7, drop=0.1, bound=0.12, p_value=0.0005)
    assert judge(POLICY, {("auc", "all"): fine}).decision is Decision.PROMOTED
    judgement = judge(POLICY, {("auc", "all"): harmful})
    assert words(judgement) == "held: int8_static loses 10.0 points of auc overall (1000 examples), margin 2.0"


def test_nothing_measured_promotes_nothing():
    judgement = judge(POLICY, {})
    assert judgement.decision is Decision.UNDECIDED
    assert words(judgement) == "undecided: nothing was measured of int8_static"


def test_a_policys_digest_depends_on_what_it_says_alone():
    assert POLICY.digest() == PromotionPolicy.model_validate_json(POLICY.canonical()).digest()
    assert POLICY.digest() != PromotionPolicy().digest()


def test_the_least_group_is_not_smaller_than_what_may_be_published():
    with pytest.raises(ValueError, match="greater than or equal to 10"):
        PromotionPolicy(min_group=9)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"margins": {"recall": 1.0}}, "margins: recall is 1, which is more than a share can lose"),
        ({"margins": {"sex:women": 5}}, "more than a share can lose"),
        ({"margins": {"accuracy": 0.0}}, "not above 0"),
        ({"margins": {"recall:1:age:50-80": -0.1}}, "not above 0"),
        ({"margins": {"acuracy": 0.01}}, "acuracy is neither a metric nor a group"),
        ({"floors": {"recal": 0.9}}, "recal is neither a metric nor a group"),
        ({"floors": {"recall": 7}}, "more than a share can be"),
        ({"floors": {"auc": 0.9}}, "floors: auc is of a metric that `metrics` does not name"),
    ],
)
def test_a_limit_that_would_limit_nothing_is_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        PromotionPolicy(**limits)


def test_limits_of_errors_are_in_the_unit_of_the_targets():
    limits = {"margins": {"mae": 40.0, "site:north": 60.0}, "floors": {"mae": 90.0}}
    policy = PromotionPolicy(metrics=("mae",), **limits)
    assert policy.margin_of("mae", "site:north") == 60.0


def test_what_was_not_measured_at_all_is_not_let_pass_either():
    policy = PromotionPolicy(min_group=200, undecided="allow")
    judgement = judge(policy, {("accuracy", "all"): counts(1000, 0)}, required=[("recall", "all")])
    assert judgement.decision is Decision.UNDECIDED
    assert judge(policy, {}).decision is Decision.UNDECIDED
