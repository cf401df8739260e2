"""Where a decision holds on this machine. A verdict belongs to an artefact, a runtime and a class of processors: it
holds on a device here that is of this class, with this very runtime, and on no other."""

from __future__ import annotations

from functools import cache

from fluvial.inference import nvml
from fluvial.inference.processor import check_device, processor_class
from fluvial.inference.session import provider_is_here, runtime
from fluvial.wire.foreign_text import logger

_log = logger(__name__)


class Host:
    """This machine's devices, the one that is preferred first: what of CUDA there is, then the processor.

    device: auto, cpu or cuda. Where CUDA is asked for and there is none, the processor is what there is, with a
    warning: what was promoted for its class may serve, and nothing else.
    """

    def __init__(self, device: str = "auto") -> None:
        """Raises ValueError for another name."""
        check_device(device)
        with_cuda = device != "cpu" and bool(nvml.capabilities())
        if device == "cuda" and not with_cuda:
            _log.warning("device cuda was asked for, and this machine has no NVIDIA device: its processor serves")
        self.devices: tuple[str, ...] = ("cuda", "cpu") if with_cuda else ("cpu",)

    def device_of(self, named: str, processor: str) -> str | None:
        """The device on which a decision holds. named: its runtime, as sessions name theirs. None: not here."""
        for device in self.devices:
            if processor == processor_class(device) and named in _runtimes(device, named.partition(" ")[0]):
                return device
        return None

    def device_of_class(self, processor: str) -> str | None:
        """The device of this class of processors; None: not here."""
        return next((device for device in self.devices if processor_class(device) == processor), None)

    def rank(self, named: str, processor: str) -> int | None:
        """How far down the list of devices that is; None: not here."""
        device = self.device_of(named, processor)
        return None if device is None else self.devices.index(device)

    def in_words(self) -> str:
        """Runtime and classes of processors, for whoever is not served."""
        classes = " and ".join(processor_class(device) for device in self.devices)
        torch = " or torch" if "cuda" in self.devices else ""
        return f"{runtime()}{torch} on processors of the class {classes}"


@cache
def _runtimes(device: str, kind: str) -> frozenset[str]:
    """What runs artefacts on a device, by name and version. kind: onnxruntime or torch, which is loaded when somebody
    asks for it first."""
    if kind != "torch":
        return frozenset({runtime()} if provider_is_here(device) else ())
    try:
        from fluvial.edge.training.device import choose_device
        from fluvial.edge.training.torch_session import runtimes
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return frozenset()
    try:
        return runtimes(choose_device(device))
    except ValueError:  # a build of torch without CUDA
        return frozenset()
