"""What serves, kept current beside the operators: a thread follows registry, variants and promotions, loads what was
promoted, warms it, and puts it in the place of what served before, between two batches.

The old artefact answers until the new one is ready, so no request waits for a swap; a batch holds on to the one that it
began with. If loading fails the old one goes on serving.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from hashlib import sha256

import numpy as np

from fluvial.edge.sessions import open_session
from fluvial.inference.processor import processor_class
from fluvial.inference.releases import Released, Releases
from fluvial.inference.session import runtime
from fluvial.kafka import Message, Reader, Transport
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import ChunkUnavailable, FluvialError
from fluvial.wire.records import Variant
from fluvial.wire.topics import Topics
from pipelines.flink.tasks import acceleration_of
from pipelines.inference.logic import Model

ReadArtefact = Callable[[Variant], bytes]
"""The bytes of an artefact. Raises ChunkUnavailable, TimeoutError."""

_POLL_SECONDS = 0.05
_log = logging.getLogger(__name__)


class Serving:
    """One for a process. `start` before use, `close` after. device: cpu or cuda."""

    def __init__(
        self,
        connect: Callable[[], Transport],
        topics: Topics,
        registry: VerifiedRegistry,
        aggregator_key: bytes,
        read: ReadArtefact,
        device: str = "cpu",
    ) -> None:
        self._connect, self._topics, self._key, self._read, self._device = connect, topics, aggregator_key, read, device
        self.registry = registry
        self._releases = Releases()
        self._models: Mapping[str, Model] = {}
        self._refused: set[bytes] = set()
        self._processor, self._runtime = processor_class(), runtime()
        self._error: Exception | None = None
        self._stopping, self._caught_up = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference-serving", daemon=True)

    def start(self) -> None:
        """Begin to follow the topics."""
        self._thread.start()

    def ready(self, timeout: float) -> bool:
        """Whether what the topics held at the start has been taken in; waits so many seconds for it."""
        return self._caught_up.wait(timeout)

    def close(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join(10)

    def model(self, task: str) -> Model | None:
        """What serves the task now; None while nothing is released for this runtime and
        processor. Raises what has ended the
        thread: what serves would otherwise stay as it is for ever."""
        if self._error is not None:
            raise self._error
        return self._models.get(task)

    def why_not(self) -> str:
        """Why a task is not served, for its callers."""
        return f"no variant is promoted for {self._runtime} on processors of the class {self._processor}"

    def spec(self, task: str) -> AccelerationSpec | None:
        """The task's terms of acceleration; None for a task that is not registered, or has none."""
        record = self.registry.task(task)
        return None if record is None else acceleration_of(record)

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:
            _log.exception("what serves is not followed any more")
            self._error = error
            self._caught_up.set()

    def _follow(self) -> None:
        transport = self._connect()
        try:
            readers = {
                name: transport.read(getattr(self._topics, name)) for name in ("registry", "variants", "promotions")
            }
            pending: set[str] = set()
            while not self._stopping.is_set():
                changed = {task for name, reader in readers.items() for task in self._take(name, reader)}
                if self._caught_up.is_set():
                    pending = self._swap(changed | pending)
                elif all(reader.caught_up() for reader in readers.values()):
                    pending = self._swap({task.task for task in self.registry.tasks()})
                    self._caught_up.set()
            for reader in readers.values():
                reader.close()
        finally:
            transport.close()

    def _take(self, name: str, reader: Reader) -> set[str]:
        """Take in what has arrived of a topic. The tasks that may have another release now."""
        return {task for message in reader.poll(_POLL_SECONDS) if (task := self._apply(name, message))}

    def _apply(self, name: str, message: Message) -> str:
        key = (message.key or b"").decode(errors="replace")
        try:
            if name == "registry":
                if message.value is None:
                    self.registry.withdraw(key)
                else:
                    self.registry.apply(key, message.value)
                return key.removeprefix("task/") if key.startswith("task/") else ""
            return self._releases.take(name, message.value or b"", self._key, self._topics.scope).task
        except FluvialError as error:
            _log.warning("%s is not trusted: %s", message, error)
            return ""

    def _swap(self, tasks: set[str]) -> set[str]:
        """Put what is released in the place of what serves. Returns the tasks to try again: the broker did not give
        the artefact in time."""
        again: set[str] = set()
        for task in sorted(tasks):
            spec = self.spec(task)
            if spec is None:
                continue
            preference = [variant.name for variant in spec.variants]
            released = self._releases.serving(task, self._runtime, self._processor, preference)
            before = self._models.get(task)
            if released is None:
                # Held or rolled back, and nothing else is promoted: nobody is served by what may harm.
                self._models = {name: model for name, model in self._models.items() if name != task}
            elif before is None or before.promotion != released.promotion.sequence:
                try:
                    model = self._load(released, spec.batching.max_batch)
                except TimeoutError as error:
                    _log.warning("%s: the artefact is not read yet: %s", task, error)
                    again.add(task)
                    continue
                if model is not None:
                    self._models = {**self._models, task: model}
        return again

    def _load(self, released: Released, max_batch: int) -> Model | None:
        """None for what cannot be loaded. Raises TimeoutError."""
        promotion, variant = released.promotion, released.variant
        if variant.artefact_sha256 in self._refused:
            return None
        try:
            artefact = self._read(variant)
            if sha256(artefact).digest() != variant.artefact_sha256:
                raise ValueError("the artefact is not the one that was promoted")
            session = open_session(artefact, device=self._device)
            shape = session.input_shape[1:]
            for size in (max_batch, 1):
                session.run(np.zeros((size, *(length or 1 for length in shape)), np.float32))
        except (ValueError, ChunkUnavailable) as error:
            self._refused.add(variant.artefact_sha256)
            _log.error("SWAP_FAILED: %s version %d, %s: %s", promotion.task, promotion.version, variant.name, error)
            return None
        _log.info("%s is served by version %d, %s", promotion.task, promotion.version, variant.name)
        return Model(
            run=session.run,
            shape=shape,
            promotion=promotion.sequence,
            version=promotion.version,
            variant=variant.name,
            artefact_sha256=variant.artefact_sha256,
        )
