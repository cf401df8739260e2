"""How precise a task's sums are: the fraction bits that its bounds leave, whatever updates come."""

from models.aggregation import fixed_point
from models.aggregation.rule import Rule


def fraction_bits(rule: Rule, *, target: int, max_weight: int, max_abs: float, unit: int = 1) -> int:
    """Most fraction bits with which the sums of the rule's rounds cannot overflow.

    target: most updates of a round. max_weight: of one of them. max_abs: largest element of one. unit: what weighting
    by staleness multiplies coefficients with. Raises ValueError for bounds whose sums do not fit at all.
    """
    bound = rule.coefficient_bound(target, max_weight) * unit
    return fixed_point.fraction_bits(1, bound, rule.element_bound(max_abs))


FEW_BITS = 20
"""Below so many, elements of the size that training usually gives are rounded noticeably."""


def in_words(fraction_bits: int) -> str:
    """What so many fraction bits mean for an update, and what to do where they are few."""
    told = (
        f"sums keep {fraction_bits} fraction bits: a resolution of about 2^-{fraction_bits} ({2.0**-fraction_bits:.1e})"
    )
    if fraction_bits >= FEW_BITS:
        return told
    return f"{told}, which is coarse; a smaller limits.max_abs, limits.max_weight or target leaves more"
