"""Somebody asks the federation's model all the while: before anything is released, across each swap, and after.

A thread sends one request after the other and keeps what came back. No request may fail once something was released,
and none may be answered by what was not promoted."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fluvial.edge.training.data_files import load_evaluation
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.client import Client, InferenceRefused
from fluvial.wire.errors import TransportError
from fluvial.wire.records import InferenceStatus

_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 20.0


@dataclass(slots=True)
class Asked:
    """answered: requests by promotion, version and variant, in the order of their first answers. unreleased: requests
    before the first release. failed: other requests without outputs, in words. latencies_ms: of those answered."""

    answered: dict[tuple[int, int, str], int] = field(default_factory=dict)
    unreleased: int = 0
    failed: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def num_answered(self) -> int:
        return sum(self.answered.values())


class Asking:
    """Asks from `start` to `stop`, which returns what came of it."""

    def __init__(self, federation: Federation, name: str, key: SigningKey, task: str, examples: Path) -> None:
        self._client = Client(federation, name, key)
        self._task = task
        self._inputs = load_evaluation(examples).inputs[:256]
        self._asked = Asked()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="demo-asking", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def serves(self) -> int:
        """The version that gave the last answer; -1 before the first."""
        return next(reversed(self._asked.answered))[1] if self._asked.answered else -1

    def stop(self) -> Asked:
        """End it. Safe to repeat."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._thread.join(2 * _TIMEOUT_SECONDS)
            self._client.close()
        return self._asked

    def _ask(self) -> None:
        random = np.random.default_rng(0)
        while not self._stopping.is_set():
            inputs = self._inputs[random.integers(0, len(self._inputs), 8)]
            started = time.monotonic()
            try:
                answer = self._client.infer(self._task, inputs, _TIMEOUT_SECONDS)
            except InferenceRefused as error:
                if error.status is InferenceStatus.NO_RELEASE and not self._asked.answered:
                    self._asked.unreleased += 1
                else:
                    self._asked.failed.append(str(error))
            except TransportError as error:
                self._asked.failed.append(str(error))
            else:
                key = answer.promotion, answer.version, answer.variant
                self._asked.answered[key] = self._asked.answered.pop(key, 0) + 1
                self._asked.latencies_ms.append(1000 * (time.monotonic() - started))
            self._stopping.wait(_PAUSE_SECONDS)


def shortfalls_of(asked: Asked, promoted: set[tuple[int, str]], version: int) -> list[str]:
    """What requests did not live up to. promoted: versions and variants that were. version: that should serve in the
    end."""
    found = [f"a request failed: {why}" for why in asked.failed[:3]]
    unknown = {(served, variant) for _, served, variant in asked.answered} - promoted
    found += [f"version {served}, {variant} answered without being promoted" for served, variant in sorted(unknown)]
    if not any(served == version for _, served, _ in asked.answered):
        found.append(f"no request was answered by version {version}")
    return found
