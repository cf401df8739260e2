"""Edwards25519 by its equations (RFC 8032, section 5.1): slow, literal, enough to find the points of small order."""

from functools import cache
from itertools import count

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """Affine addition on -x² + y² = 1 + d x² y²."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return x, y


def multiply(number: int, point: Point) -> Point:
    result = IDENTITY
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def points_at(y: int) -> list[Point]:
    """The points of this y coordinate: none, one or two."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return sorted({(x, y), (-x % P, y)}) if x * x % P == square else []


@cache
def small_order() -> frozenset[Point]:
    """The eight points whose order divides 8: any point, times L, is one of them, and one of order 8 makes all."""
    multiples = (multiply(L, point) for y in count(2) for point in points_at(y)[:1])
    generator = next(point for point in multiples if multiply(4, point) != IDENTITY)
    return frozenset(multiply(number, generator) for number in range(8))


def encodings(point: Point) -> set[bytes]:
    """Every 32-byte string that a lax decoder reads as this point: y or y + p, and either sign where x is 0."""
    x, y = point
    signs = {0, 1} if x == 0 else {x & 1}
    return {
        (number | sign << 255).to_bytes(32, "little") for number in (y, y + P) if number < 1 << 255 for sign in signs
    }
