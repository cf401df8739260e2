"""Classes of processors."""

import pytest

from fluvial.inference.processor import CLASSES, class_of, processor_class


@pytest.mark.parametrize(
    ("flags", "machine", "expected"),
    [
        ("fpu sse4_2", "x86_64", "OTHER"),
        ("avx2 fma", "x86_64", "AVX2"),
        ("avx2 avx512f", "x86_64", "AVX512"),
        ("avx2 avx_vnni", "x86_64", "AVX_VNNI"),
        ("avx2 avx512f avx512_vnni", "x86_64", "AVX512_VNNI"),
        ("avx2 avx512f avx512_vnni amx_int8", "x86_64", "AMX"),
        ("fp asimd", "aarch64", "NEON"),
        ("fp asimd asimddp", "aarch64", "NEON_DOT"),
        ("", "arm64", "NEON"),
    ],
)
def test_a_class_is_named_by_the_widest_instructions(flags, machine, expected):
    assert class_of(frozenset(flags.split()), machine) == expected


def test_this_machine_has_a_class():
    assert processor_class() in CLASSES
