import os

from deploy.bench.memory import PeakMemory, high_water_mark, peak_bytes


def test_the_high_water_mark_is_read_from_the_kernels_text() -> None:
    assert high_water_mark("Name:\tjava\nVmPeak:\t  900 kB\nVmHWM:\t  700 kB\nVmRSS:\t  500 kB\n") == 700 * 1024


def test_a_zombie_has_no_memory() -> None:
    assert high_water_mark("Name:\tjava\nState:\tZ (zombie)\n") is None


def test_a_role_is_as_large_as_its_largest_process() -> None:
    with PeakMemory() as memory:
        memory.watch("tests", os.getpid())
        memory.watch("gone", 2**22 + 1)
    found = memory.megabytes()
    assert found.keys() == {"tests"}
    assert found["tests"] * 1e6 >= 10e6
    assert peak_bytes(2**22 + 1) is None
