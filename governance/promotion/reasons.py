"""A decision in words, for people who must answer for it."""

from __future__ import annotations

from collections.abc import Callable

from fluvial.wire.promotion_policy import ERRORS
from governance.promotion.judgement import EVERYBODY, Decision, GroupFinding, GroupVerdict, Judgement

Namer = Callable[[str], str]
"""Says what a class or a group is called: "1" -> "defaulters", "age:50-80" -> "aged 50 to 80"."""


MAX_NAMED = 3
"""Groups that a reason names of those that were not compared."""

_FOLLOW_A_NOUN = frozenset({"aged", "among", "at", "from", "in", "of", "who", "with"})
"""First words of a group's name that wants somebody before it."""


def reason(
    variant: str, judgement: Judgement, *, class_name: Namer = str, group_name: Namer = str, operators: int = 0
) -> str:
    """One sentence: what was decided on the variant, and why. The worst group is named with its counts, and, where
    the variant may yet serve, groups that could not be compared in a metric. operators: how many must sign
    what is AWAITING."""
    decided = _decided(variant, judgement, class_name, group_name, operators)
    if not judgement.not_compared or judgement.decision is Decision.HELD:
        return decided
    named = [_place(metric, group, class_name, group_name) for metric, group in judgement.not_compared]
    others = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return f"{decided}; not compared, for want of people or of a second class: {', '.join(named[:MAX_NAMED])}{others}"


def _decided(variant: str, judgement: Judgement, class_name: Namer, group_name: Namer, operators: int) -> str:
    worst = judgement.worst
    match judgement.decision:
        case Decision.HELD if worst is not None:
            floored = next((finding for finding in judgement.findings if finding.below_floor), None)
            if worst.verdict is not GroupVerdict.HARMED and floored is not None:
                where = _where(floored, class_name, group_name)
                side = "above" if _is_error(floored) else "below"
                return f"held: {variant} has {_amount(floored, floored.value)} {where}, {side} the floor"
            return f"held: {variant} {_loses(worst, worst.drop)} {_loss(worst, class_name, group_name)}"
        case Decision.UNDECIDED if worst is not None and worst.verdict is GroupVerdict.HARMED:
            loses = f"{variant} {_loses(worst, worst.drop)} {_loss(worst, class_name, group_name)}"
            return f"undecided: too few participants tell that {loses}"
        case Decision.UNDECIDED if worst is not None and worst.verdict is GroupVerdict.UNDECIDED:
            return (
                f"undecided: {variant} {_loses(worst, worst.bound, 'may', 'up to ')} "
                f"{_loss(worst, class_name, group_name)}: {_too_few(worst)}"
            )
        case Decision.UNDECIDED if judgement.organisations_missing:
            missing = judgement.organisations_missing
            return f"undecided: {missing} more participant{'s' if missing > 1 else ''} must have measured {variant}"
        case Decision.PROMOTED | Decision.AWAITING if worst is not None:
            loses = f"{variant} {_loses(worst, max(worst.bound, 0.0), '', 'at most ')} "
            loses += _loss(worst, class_name, group_name)
            if judgement.decision is Decision.PROMOTED:
                return f"promoted: {loses}"
            return f"awaiting {operators} operator{'s' if operators > 1 else ''}, who must sign: {loses}"
    return f"{judgement.decision.value.lower()}: nothing was measured of {variant}"


def _where(finding: GroupFinding, class_name: Namer, group_name: Namer) -> str:
    return _place(finding.metric, finding.group, class_name, group_name)


def _place(name: str, group: str, class_name: Namer, group_name: Namer) -> str:
    """`recall for defaulters aged 50 to 80`, `accuracy for those aged 50 to 80`, `accuracy for women`, `accuracy
    overall`."""
    metric, _, label = name.partition(":")
    of_class = class_name(label) if label else ""
    of_group = "" if group == EVERYBODY else group_name(group)
    if not of_class and of_group.partition(" ")[0] in _FOLLOW_A_NOUN:
        of_class = "those"
    who = " ".join(part for part in (of_class, of_group) if part)
    return f"{metric} for {who}" if who else f"{metric} overall"


def _loss(finding: GroupFinding, class_name: Namer, group_name: Namer) -> str:
    where = _where(finding, class_name, group_name)
    margin = f"{finding.margin:.4g}" if _is_error(finding) else _points(finding.margin)
    if finding.counts is None:
        return f"{where} ({finding.num_examples} examples), margin {margin}"
    counts = finding.counts
    return f"{where} ({counts.harmed} harmed, {counts.helped} helped of {counts.num_examples}), margin {margin}"


def _too_few(finding: GroupFinding) -> str:
    return "nothing was measured" if not finding.num_examples else "too few examples to tell"


def _loses(finding: GroupFinding, size: float, may: str = "", most: str = "") -> str:
    """`loses 7.9 points of`, `may lose up to 2.4 points of`, `adds at most 0.3 to`: errors are in the targets' unit."""
    verb = "add" if _is_error(finding) else "lose"
    verb = f"{may} {verb}" if may else f"{verb}s"
    return f"{verb} {most}{_amount(finding, size)}" if not _is_error(finding) else f"{verb} {most}{size:.4g} to"


def _amount(finding: GroupFinding, size: float) -> str:
    return f"{size:.4g} of" if _is_error(finding) else f"{_points(size)} points of"


def _is_error(finding: GroupFinding) -> bool:
    return finding.metric in ERRORS


def _points(share: float) -> str:
    return f"{100 * share:.1f}"
