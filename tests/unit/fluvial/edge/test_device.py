from pathlib import Path

import pytest

from fluvial.edge.device import profile


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


ROUTE = "Iface\tDestination\tGateway\n{}\t00000000\t0101A8C0\n{}\t0001A8C0\t00000000\n"


@pytest.mark.parametrize(
    ("files", "accelerator"),
    [
        ({}, ""),
        ({"dev/nvidia0": "", "dev/nvidiactl": ""}, "nvidia"),
        ({"dev/nvidiactl": ""}, ""),
        (
            {"dev/nvidia0": "", "proc/driver/nvidia/gpus/0/information": "Model: \t NVIDIA H200\nIRQ: 1\n"},
            "NVIDIA H200",
        ),
        ({"dev/kfd": ""}, "amd"),
        ({"dev/accel/accel0": ""}, "npu"),
    ],
)
def test_the_accelerator_is_found_by_its_device(tmp_path: Path, files: dict[str, str], accelerator: str) -> None:
    assert profile(lay_out(tmp_path, files)).accelerator == accelerator


@pytest.mark.parametrize(
    ("interface", "files", "network"),
    [
        ("eth0", {"sys/class/net/eth0/type": "1\n"}, "ethernet"),
        ("wlan0", {"sys/class/net/wlan0/type": "1\n", "sys/class/net/wlan0/wireless/x": ""}, "wifi"),
        ("wwan0", {}, "cellular"),
        ("tun0", {"sys/class/net/tun0/type": "65534\n"}, ""),
    ],
)
def test_the_network_is_that_of_the_default_route(tmp_path: Path, interface: str, files: dict, network: str) -> None:
    lay_out(tmp_path, {"proc/net/route": ROUTE.format(interface, "docker0"), **files})
    assert profile(tmp_path).network == network


def test_this_machine_has_a_profile() -> None:
    found = profile()
    assert found.platform
    assert found.machine
    assert found.memory_bytes > 0
