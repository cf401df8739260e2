"""Bytes near to genuine ones: what a fuzzer tries that knows where parsers break."""

from __future__ import annotations

from hypothesis import strategies as st

_BOLD = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\x7f",
    b"\n",
    b"\n\n",
    b"\xff" * 9 + b"\x01",
    b"\x80" * 10,
    b"\xc3\x01",
    b"A" * 300,
)
"""Ends, signs, empty lines, the largest and the longest numbers of Avro, its header, and a length that is a lot."""


@st.composite
def mutated(draw: st.DrawFn, genuine: bytes, others: tuple[bytes, ...] = ()) -> bytes:
    """Up to four changes of the bytes: cut, flip, put in, take out, repeat, and the end of another."""
    data = genuine
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 6)):
            case 0:
                data = data[:at]
            case 1 if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
            case 2:
                data = data[:at] + draw(st.sampled_from(_BOLD)) + data[at:]
            case 3:
                data = data[:at] + data[at + draw(st.integers(1, 16)) :]
            case 4:
                data = data[:at] + data[at : at + 64] + data[at:]
            case 5:
                data = data[:at] + draw(st.binary(max_size=16)) + data[at:]
            case _:
                data = data[:at] + draw(st.sampled_from((genuine, *others)))[at:]
    return data
