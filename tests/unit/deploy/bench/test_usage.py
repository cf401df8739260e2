import os
import time

from deploy.bench.usage import Usage, high_water_mark, peak_bytes


def test_the_high_water_mark_is_read_from_the_kernels_text() -> None:
    assert high_water_mark("Name:\tjava\nVmPeak:\t  900 kB\nVmHWM:\t  700 kB\nVmRSS:\t  500 kB\n") == 700 * 1024


def test_a_zombie_has_no_memory() -> None:
    assert high_water_mark("Name:\tjava\nState:\tZ (zombie)\n") is None


def test_a_role_is_as_large_as_its_largest_process() -> None:
    with Usage() as usage:
        usage.watch("tests", os.getpid())
        usage.watch("gone", 2**22 + 1)
    found = usage.megabytes()
    assert found.keys() == {"tests"}
    assert found["tests"] * 1e6 >= 10e6
    assert peak_bytes(2**22 + 1) is None


def test_processor_time_adds_up() -> None:
    usage = Usage()
    usage.watch("tests", os.getpid())
    usage.watch("gone", 2**22 + 1)
    before = usage.cpu_seconds()
    while time.process_time() < before["tests"] + 0.05:
        pass
    assert usage.cpu_seconds()["tests"] > before["tests"]
