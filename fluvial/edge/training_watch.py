"""What training took here, for a participant that tells the federation."""

from __future__ import annotations

import json
import time

from fluvial.inference.processor import processor_class
from fluvial.inference.timing import joules_so_far
from fluvial.wire.records import Round, TrainingReport


class TrainingWatch:
    """Starts when it is made. Processor time is the whole process's, energy the whole machine's: of its processors, or
    of its NVIDIA devices where it trains on them.

    device: cpu or cuda.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._joules, self._processor, self._started = joules_so_far(device), time.process_time(), time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return time.monotonic() - self._started

    def report(self, round_: Round) -> TrainingReport:
        """What it took; the epochs are those of the round's training terms, 1 where they name none."""
        used = joules_so_far(self._device)
        return TrainingReport(
            device_class=_class(self._device),
            precision="float32",
            epochs=_epochs(round_.training),
            seconds=self.seconds,
            processor_seconds=time.process_time() - self._processor,
            joules=max(0.0, used - self._joules) if used and self._joules else 0.0,
            bytes_sent=0,
        )


def _class(device: str) -> str:
    try:
        return processor_class(device)
    except ValueError:  # torch has such a device, and the driver's management library is not there to name it
        return processor_class()


def _epochs(training: str) -> int:
    try:
        epochs = json.loads(training).get("epochs", 1)
    except (ValueError, AttributeError):
        return 1
    return epochs if isinstance(epochs, int) and epochs >= 1 else 1
