"""What serves, kept current beside the operators: a thread follows registry, variants and promotions, loads what was
promoted, warms it, and puts it in the place of what served before, between two batches.

The old artefact answers until the new one is ready, so no request waits for a swap; a batch holds on to the one that it
began with. If loading fails, the next best that was promoted for this machine serves, which may be the old one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np

from fluvial.edge.artefact_kinds import runs_in_torch
from fluvial.edge.host import Host
from fluvial.edge.sessions import open_session
from fluvial.inference.releases import Released, Releases
from fluvial.kafka import Message, Reader, Transport
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Task, Variant
from fluvial.wire.tally import Tally
from fluvial.wire.topics import Topics
from pipelines.flink.process_end import skipping_destructors
from pipelines.inference.logic import Model
from pipelines.registered_tasks import acceleration_of

ReadArtefact = Callable[[Variant], bytes]
"""The bytes of an artefact. Raises ChunkUnavailable, TimeoutError."""

MakeModule = Callable[[Task], Any]
"""The torch module of a task, for artefacts that torch runs. Raises ValueError, PackageError where its code is not
allowed here."""

_POLL_SECONDS = 0.05
_log = logger(__name__)


class Serving:
    """One for a process. `start` before use, `close` after. device: auto, cpu or cuda. module: of
    artefacts that torch runs."""

    def __init__(
        self,
        connect: Callable[[], Transport],
        topics: Topics,
        registry: VerifiedRegistry,
        aggregator_key: bytes,
        read: ReadArtefact,
        module: MakeModule,
        device: str = "auto",
    ) -> None:
        self._connect, self._topics, self._key, self._read = connect, topics, aggregator_key, read
        self._module, self._host = module, Host(device)
        self.registry = registry
        self._releases = Releases()
        self._skipped = Tally(_log)
        self._models: Mapping[str, Model] = {}
        self._refused: set[tuple[bytes, str]] = set()
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
        """What serves the task now; None while nothing is released for this machine. Raises what has ended the thread:
        what serves would otherwise stay as it is for ever."""
        if self._error is not None:
            raise self._error
        return self._models.get(task)

    def why_not(self) -> str:
        """Why a task is not served, for its callers."""
        return f"no variant is promoted for {self._host.in_words()}"

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
                if message.value is not None:  # nobody signs a tombstone
                    self.registry.apply(key, message.value)
                return key.removeprefix("task/") if key.startswith("task/") else ""
            return self._releases.take(name, message.value or b"", self._key, self._topics.scope).task
        except FluvialError as error:
            self._skipped.add(f"{name}/{message.partition}@{message.offset}", str(error))
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
            candidates = self._releases.candidates(task, self._host.rank, preference)
            try:
                model = self._best(task, candidates, spec.batching.max_batch)
            except TimeoutError as error:
                _log.warning("%s: the artefact is not read yet: %s", task, error)
                again.add(task)
                before = self._models.get(task)
                if before is None or before.promotion in {each.promotion.sequence for each in candidates}:
                    continue
                model = None
            others = {name: model for name, model in self._models.items() if name != task}
            # Held or rolled back, and nothing else is promoted: nobody is served by what may harm.
            self._models = others if model is None else {**others, task: model}
        return again

    def _best(self, task: str, candidates: Sequence[Released], max_batch: int) -> Model | None:
        """The first of them that can be loaded; what serves already is. Raises TimeoutError."""
        before = self._models.get(task)
        for released in candidates:
            if before is not None and before.promotion == released.promotion.sequence:
                return before
            if (model := self._load(released, max_batch)) is not None:
                return model
        return None

    def _load(self, released: Released, max_batch: int) -> Model | None:
        """None for what cannot be loaded. Raises TimeoutError."""
        promotion, variant = released.promotion, released.variant
        device = self._host.device_of(promotion.runtime, promotion.processor)
        if device is None or (variant.artefact_sha256, device) in self._refused:
            return None
        try:
            artefact = self._read(variant)
            if sha256(artefact).digest() != variant.artefact_sha256:
                raise ValueError("the artefact is not the one that was promoted")
            with skipping_destructors() if runs_in_torch(artefact) else nullcontext():
                session = open_session(artefact, module=partial(self._module_of, promotion.task), device=device)
            if session.runtime != promotion.runtime:
                raise ValueError(f"it was promoted for {promotion.runtime}, and {session.runtime} would run it")
            shape = session.input_shape[1:]
            for size in (max_batch, 1):
                session.run(np.zeros((size, *(length or 1 for length in shape)), np.float32))
        except TimeoutError:
            raise
        except (
            Exception
        ) as error:  # whatever artefact, package, torch and device come to: the others serve all the same
            self._refused.add((variant.artefact_sha256, device))
            _log.error("SWAP_FAILED: %s version %d, %s: %s", promotion.task, promotion.version, variant.name, error)
            return None
        _log.info("%s is served by version %d, %s, on %s", promotion.task, promotion.version, variant.name, device)
        return Model(
            run=session.run,
            shape=shape,
            promotion=promotion.sequence,
            version=promotion.version,
            variant=variant.name,
            artefact_sha256=variant.artefact_sha256,
        )

    def _module_of(self, task: str) -> Any:
        record = self.registry.task(task)
        if record is None:
            raise ValueError(f"the registry has no task {task}")
        return self._module(record)
