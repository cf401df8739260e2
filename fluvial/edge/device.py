"""What a device says of itself at enrolment, found without importing an accelerator's library.

The profile is a claim: nothing proves it, and a task's policy treats it as such. Every value falls back to empty (or 0)
where it cannot be told.
"""

import platform
import sys
from pathlib import Path

from fluvial.wire.memory import memory_bytes
from fluvial.wire.records import DeviceProfile


def profile(root: Path = Path("/")) -> DeviceProfile:
    """The profile of this machine.

    Root: where /dev, /proc and /sys lie, so that a test can lay out a machine of its own.
    """
    return DeviceProfile(
        platform=platform.system().lower(),
        machine=platform.machine().lower(),
        memory_bytes=memory_bytes(),
        accelerator=_accelerator(root),
        network=_network(root),
    )


def _accelerator(root: Path) -> str:
    """The driver's own description where it gives one, otherwise the maker of the device node."""
    for information in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        for line in _read(information).splitlines():
            if line.startswith("Model:"):
                return line.removeprefix("Model:").strip()
    if any(root.glob("dev/nvidia[0-9]*")):
        return "nvidia"
    if (root / "dev/kfd").exists():
        return "amd"
    if any(root.glob("dev/accel/accel[0-9]*")) or any(root.glob("dev/apex_[0-9]*")):
        return "npu"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "apple"
    return ""


def _network(root: Path) -> str:
    """The kind of the interface that the default route uses (Linux only)."""
    for line in _read(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 1 and fields[1] == "00000000":
            return _interface_kind(root / "sys/class/net" / fields[0])
    return ""


def _interface_kind(interface: Path) -> str:
    if interface.name.startswith(("wwan", "rmnet", "ppp")):
        return "cellular"
    if (interface / "wireless").exists() or (interface / "phy80211").exists():
        return "wifi"
    return "ethernet" if _read(interface / "type").strip() == "1" else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
