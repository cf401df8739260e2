"""Real coefficients as integers, so that combinations are exact sums like all others.

A coefficient c becomes floor(c * 2**24); one that would keep fewer than 12 bits so, because its update is large,
becomes an integer of 24 bits with a shift, which stands for integer * 2**-shift. Rounding down never gives an update
more than the rule meant to. What is lost goes to the largest coefficient, which in every rule here belongs to an update
that lies close; so coefficients that add up to 1 still do (or to a unit of the largest less, where shifts differ),
and equal updates give that update. Shapes: N updates.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import floor, frexp, fsum, ldexp

Term = tuple[int, int]
"""A coefficient c and its shift s; it stands for c * 2**-s."""

SCALE_BITS = 24
SCALE = 1 << SCALE_BITS
SIGNIFICANT_BITS = 24
MAX_COMPOSED_SUM = 1 << 28
"""A wrapper scales coefficients up by no more than what keeps their sum here: each bit is one less for the updates."""

_FEW_BITS = 12


def to_integers(coefficients: Sequence[float]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Integers and shifts at scale 2**24 of coefficients that are at least 0, finite, and not all 0.

    Raises ValueError for others.
    """
    total = fsum(coefficients)
    if not 0 < total < float("inf") or min(coefficients) < 0:
        raise ValueError("coefficients must be finite, at least 0, and not all 0")
    integers, shifts = map(list, zip(*map(_to_integer, coefficients), strict=True))
    largest = max(range(len(integers)), key=lambda index: coefficients[index])
    unit = 1 << shifts[largest]
    wanted = round(Fraction(total) * SCALE * unit)
    integers[largest] += floor(wanted - total_of(zip(integers, shifts, strict=True)) * unit)
    return tuple(integers), tuple(shifts)


def total_of(terms: Iterable[Term]) -> Fraction:
    """What coefficients with their shifts add up to, exactly."""
    given = [(coefficient, shift) for coefficient, shift in terms if coefficient]
    most = max((shift for _, shift in given), default=0)
    return Fraction(sum(coefficient << (most - shift) for coefficient, shift in given), 1 << most)


def shortened(integer: int, shift: int) -> tuple[int, int]:
    """integer * 2**-shift, rounded down to 24 significant bits as far as there is a shift to take them from."""
    dropped = min(shift, max(integer.bit_length() - SIGNIFICANT_BITS, 0))
    return integer >> dropped, shift - dropped


def _to_integer(coefficient: float) -> tuple[int, int]:
    mantissa, exponent = frexp(coefficient)
    if coefficient and exponent <= _FEW_BITS - SCALE_BITS:
        return int(ldexp(mantissa, SIGNIFICANT_BITS)), SIGNIFICANT_BITS - SCALE_BITS - exponent
    return int(coefficient * SCALE), 0
