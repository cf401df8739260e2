"""Every encoding decoded as its description says, with `struct` and Python's own numbers, element by element."""

import struct
from collections.abc import Callable, Sequence


def float32(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """Four bytes an element."""
    return list(struct.unpack(f"<{num_elements}f", raw))


def float16(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """Two bytes an element, IEEE 754 binary16."""
    return list(struct.unpack(f"<{num_elements}e", raw))


def bfloat16(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """Two bytes an element, the upper half of a float32."""
    return [
        struct.unpack("<f", b"\0\0" + struct.pack("<H", code))[0] for code in struct.unpack(f"<{num_elements}H", raw)
    ]


def int8(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """One byte an element, here of one tensor: code times scale, rounded to float32."""
    return [
        struct.unpack("<f", struct.pack("<f", code * scales[0]))[0] for code in struct.unpack(f"<{num_elements}b", raw)
    ]


def int4(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """A float16 scale for each 256 elements, then half a byte an element, the even one in the lower half."""
    num_blocks = -(-num_elements // 256)
    its_scales = struct.unpack(f"<{num_blocks}e", raw[: 2 * num_blocks])
    values = []
    for element in range(num_elements):
        code = raw[2 * num_blocks + element // 2] >> (4 * (element % 2)) & 15
        values.append((code - 16 if code >= 8 else code) * its_scales[element // 256])
    return values


def top_k(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """Gaps of a byte, then as many values of two bytes; what lies in a gap is 0."""
    count, values, place = len(raw) // 3, [0.0] * num_elements, -1
    for gap, value in zip(raw[:count], struct.unpack(f"<{count}e", raw[count:]), strict=True):
        place += gap + 1
        values[place] = value
    return values


def partial_sum(raw: bytes, num_elements: int, scales: Sequence[float]) -> list[float]:
    """Eight bytes an element: an integer over the scale, rounded to float32."""
    return [
        struct.unpack("<f", struct.pack("<f", integer / scales[0]))[0]
        for integer in struct.unpack(f"<{num_elements}q", raw)
    ]


DECODERS: dict[str, Callable[[bytes, int, Sequence[float]], list[float]]] = {
    "float32": float32,
    "float16": float16,
    "bfloat16": bfloat16,
    "int8": int8,
    "int4": int4,
    "top_k": top_k,
    "partial_sum": partial_sum,
}
