"""What a measurement says, and what follows from it by subtraction."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.inference.compared import compared, publishable
from fluvial.inference.comparison import LEAST_EXAMPLES


def outputs_of(answers, classes=2):
    return np.eye(classes, dtype=np.float32)[answers]


def by_place(found):
    return {(each.metric, each.group): each for each in found.counts}


def size(counts):
    return counts.both + counts.harmed + counts.helped + counts.neither


def test_a_small_group_does_not_follow_from_everybody_and_the_others():
    targets = np.zeros(60, np.int64)
    variant = targets.copy()
    variant[:4] = 1  # four of the five women were harmed
    groups = {"sex": (np.array([0] * 5 + [1] * 55), ["women", "men"])}
    found = compared(
        outputs_of(targets), outputs_of(variant), metrics=["accuracy"], seed=b"s", targets=targets, groups=groups
    )
    counts = by_place(found)
    assert set(counts) == {(metric, group) for metric in ("accuracy", "agreement") for group in ("all", "sex:men")}
    assert counts["accuracy", "all"].harmed == counts["accuracy", "sex:men"].harmed == 0
    assert found.num_examples == size(counts["accuracy", "all"]) == 55


def test_nor_does_a_group_of_one_class_follow_from_its_other_classes():
    targets = np.array([0] * 40 + [1] * 6 + [0] * 40 + [1] * 40)
    groups = {"site": (np.array([0] * 46 + [1] * 80), ["north", "south"])}
    answers = outputs_of(targets)
    both = ["accuracy", "recall"]
    counts = by_place(compared(answers, answers, metrics=both, seed=b"s", targets=targets, groups=groups))
    assert ("recall:1", "site:north") not in counts
    assert size(counts["accuracy", "site:north"]) == size(counts["recall:0", "site:north"]) == 40
    assert size(counts["recall:1", "all"]) == size(counts["recall:1", "site:south"]) == 40


def test_many_small_groups_hide_each_other():
    """Twenty people with two examples each, a group of its own each: what is left of everybody is all of them."""
    people = np.repeat(np.arange(20), 2)
    groups = {"writer": (people, [f"w{number}" for number in range(20)])}
    assert publishable(groups, 40, people).all()


def test_what_has_no_auc_is_there_all_the_same():
    targets = np.array([0, 1] * 20 + [0] * 20)
    groups = {"site": (np.array([0] * 40 + [1] * 20), ["north", "south"])}
    scores = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
    found = compared(scores, scores, metrics=["auc"], seed=b"s", targets=targets, groups=groups)
    assert {drop.group for drop in found.drops} == {"all", "site:north"}
    assert {each.group for each in found.counts} == {"all", "site:north", "site:south"}


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(10, 160), st.integers(1, 6), st.booleans(), st.booleans())
def test_what_is_left_of_a_whole_without_its_published_parts_is_of_nobody_or_of_ten_people(
    seed, num_examples, num_groups, with_people, with_recall
):
    random = np.random.default_rng(seed)
    skewed = np.minimum(random.geometric(0.5, num_examples) - 1, num_groups - 1)
    groups = {
        "site": (skewed, [f"s{number}" for number in range(num_groups)]),
        "sex": (random.integers(0, 2, num_examples), ["a", "b"]),
    }
    people = random.integers(0, num_examples, num_examples) if with_people else np.arange(num_examples)
    targets = np.minimum(random.geometric(0.6, num_examples) - 1, 2)
    metrics = ["accuracy", "recall"] if with_recall else ["accuracy"]
    answers = outputs_of(targets, 3)
    found = compared(answers, answers, metrics=metrics, seed=b"s", targets=targets, groups=groups, people=people)
    told = by_place(found)
    rows = publishable(groups, num_examples, people, targets if with_recall else None)
    masks = {"all": rows}
    for attribute, (members, names) in groups.items():
        masks.update({f"{attribute}:{name}": rows & (members == number) for number, name in enumerate(names)})
    of_class = {"accuracy": rows} | {f"recall:{label}": targets == label for label in range(3) if with_recall}
    cells = {(metric, group): mask & of_class[metric] for metric in of_class for group, mask in masks.items()}
    assert all(size(told[place]) == cells[place].sum() for place in cells if place in told)
    wholes = [
        ((metric, "all"), [(metric, group) for group in masks if group.startswith(f"{attribute}:")])
        for metric in of_class
        for attribute in groups
    ]
    if with_recall:
        wholes += [
            (("accuracy", group), [(metric, group) for metric in of_class if metric != "accuracy"]) for group in masks
        ]
    for whole, parts in wholes:
        if whole not in told:
            continue
        left = cells[whole].copy()
        for part in parts:
            left &= ~cells[part] if part in told else True
        assert len(np.unique(people[left])) == 0 or len(np.unique(people[left])) >= LEAST_EXAMPLES
