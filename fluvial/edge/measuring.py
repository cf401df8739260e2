"""Measuring variants on a participant's own data and processor, where the task asks for it.

What leaves are counts and times: for each metric and group of at least ten people how many answers changed. Without
labels only agreement with the float32 model is counted. The float32 model is the task's variant of recipe `onnx_fp32`,
so a device that only infers needs onnxruntime and no torch. What torch runs is measured on accelerators alone, with
the task's own module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.artefact_kinds import is_measured_on
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.edge.sessions import open_session
from fluvial.identity.envelope import seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.compared import compared
from fluvial.inference.comparison import LEAST_EXAMPLES, Groups
from fluvial.inference.processor import processor_class
from fluvial.inference.read_releases import read_releases
from fluvial.inference.session import Session
from fluvial.inference.timing import measure_timing
from fluvial.kafka import Position, Transport, read_all
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.errors import FluvialError, VerificationError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Measurement, Task, Variant
from fluvial.wire.task_file import TaskFile

_READ_SECONDS = 30.0
_SEND_SECONDS = 60.0
_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnData:
    """Examples that nothing was trained on. inputs: float32[B, ...]. targets: classes int64[B] or values [B], None
    without labels. groups: by attribute int64[B] and the groups' names. people: int64[B], whose example each is;
    without it each is another's."""

    inputs: NDArray[np.float32]
    targets: NDArray[Any] | None = None
    groups: Groups | None = None
    people: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A measurement in the log, for whoever follows its verdict."""

    measurement: Measurement
    position: Position


class Measuring:
    """One participant's measurements of one task. Raises ValueError for a task that asks for none, and for a device
    that is not there."""

    def __init__(
        self,
        transport: Transport,
        federation: Federation,
        name: str,
        key: SigningKey,
        task: Task,
        device: str = "cpu",
        packages: Packages = NO_PACKAGES,
    ) -> None:
        """device: what variants run on, cpu or cuda; the float32 model runs on the processor. packages: those whose
        code may run here, for variants that torch runs."""
        spec = TaskFile.model_validate_json(task.specification).acceleration
        if spec is None or not spec.participants_measure or spec.reference is None:
            raise ValueError(f"the task {task.task} asks participants for no measurements")
        self._spec: AccelerationSpec = spec
        self._reference: str = spec.reference.name
        self._transport, self._federation, self._name, self._key = transport, federation, name, key
        self._task, self._device, self._packages = task.task, device, packages
        self._specification = task.specification
        self._processor = processor_class(device)

    def measure(
        self, data: OwnData, version: int | None = None, on_sent: Callable[[Sent], None] = lambda sent: None
    ) -> list[Sent]:
        """Measure and send what this participant has not had admitted of a version's variants, by default of the newest
        version that has all of them. on_sent: told of each.

        Raises ValueError for data of fewer than ten people, or that does not fit the model, and where none of the
        variants that are left can run on the device, FluvialError when there is no such version, VerificationError for
        an artefact with other bytes, TransportError.
        """
        people = len(data.inputs) if data.people is None else len(np.unique(data.people))
        if people < LEAST_EXAMPLES:
            raise ValueError(f"examples of {people} people: of fewer than {LEAST_EXAMPLES} nothing may be told")
        variants = self._variants(version)
        admitted = self._admitted(variants[0].version)
        opened = self._opened([variant for variant in variants if variant.name not in admitted])
        if not opened:
            return []
        by_name = {variant.name: variant for variant in variants}
        reference = open_session(self._artefact(by_name[self._reference])).run_in_batches(data.inputs)
        sent = []
        for variant, session in opened:
            measurement = self._measured(variant, session, data, reference)
            record = seal(measurement, self._key, self._name, self._federation.topics.scope)
            future = self._transport.produce(self._federation.topics.reports, record, key=self._name.encode())
            sent.append(Sent(measurement=measurement, position=future.result(_SEND_SECONDS)))
            on_sent(sent[-1])
        return sent

    def _metrics(self, data: OwnData) -> list[str]:
        """The policy's metrics that can be measured on these data. Raises ValueError for none."""
        wanted = self._spec.policy.metrics
        found: list[str] = [metric for metric in wanted if metric == "agreement" or data.targets is not None]
        if not found:
            raise ValueError(f"without targets none of {', '.join(wanted)} can be measured")
        return found

    def _variants(self, version: int | None) -> list[Variant]:
        """The variants of a version that were built, in the order of the terms, the reference among them."""
        releases = read_releases(self._transport, self._federation, ("variants",))
        names = [variant.name for variant in self._spec.variants]
        at_once = [variant.name for variant in self._spec.built_at_once]
        versions = releases.versions(self._task, at_once) if version is None else [version]
        for chosen in reversed(versions):
            found = [found for name in names if (found := releases.variant(self._task, chosen, name)) is not None]
            built = [variant for variant in found if not variant.failure]
            if any(variant.name == self._reference for variant in built):
                return built
        which = "any version" if version is None else f"version {version}"
        raise FluvialError(f"there are no variants of {which} of {self._task} to measure yet")

    def _admitted(self, version: int) -> set[str]:
        """Names of the variants that this participant's measurement on this class of processors was admitted of."""
        found: set[str] = set()
        for message in read_all(self._transport, self._federation.topics.admitted_reports, _READ_SECONDS):
            try:
                report = unseal(message.value or b"", Measurement, self._key.public_key, self._federation.topics.scope)
            except FluvialError:
                continue  # of others, and what others have written in this participant's name
            of = report.measurer, report.task, report.version, report.processor
            if of == (self._name, self._task, version, self._processor):
                found.add(report.variant)
        return found

    def _opened(self, wanted: Sequence[Variant]) -> list[tuple[Variant, Session]]:
        """Those that are measured on this device, ready to answer. Raises ValueError, as `open_session` does, where
        none of those that could be measured here is."""
        opened: list[tuple[Variant, Session]] = []
        refused: ValueError | None = None
        for variant in wanted:
            artefact = self._artefact(variant)
            if not is_measured_on(artefact, self._device):
                continue
            try:
                opened.append((variant, open_session(artefact, module=self._module, device=self._device)))
            except ValueError as error:
                refused = error
                _log.warning("%s is not measured on %s: %s", variant.name, self._device, error)
        if refused is not None and not opened:
            raise refused
        return opened

    def _module(self) -> Any:
        from fluvial.edge.training.task_code import TaskCode  # late: a device that only infers has no torch

        return TaskCode.of(TaskFile.model_validate_json(self._specification), self._packages).module()

    def _artefact(self, variant: Variant) -> bytes:
        places = [(chunk.partition, chunk.offset) for chunk in variant.chunks]
        artefact = b"".join(self._transport.fetch(self._federation.topics.variant_blobs, places))
        if sha256(artefact).digest() != variant.artefact_sha256:
            raise VerificationError(f"the artefact of {variant.name} has other bytes than its record says")
        return artefact

    def _measured(
        self, variant: Variant, session: Session, data: OwnData, reference: NDArray[np.float32]
    ) -> Measurement:
        outputs = session.run_in_batches(data.inputs)
        found = compared(
            reference,
            outputs,
            metrics=self._metrics(data),
            seed=variant.artefact_sha256,
            targets=data.targets,
            groups=data.groups,
            people=data.people,
        )
        if not found.counts:
            raise ValueError(
                f"all groups are of fewer than {LEAST_EXAMPLES} people, and so is what would be left: of so few "
                "nothing may be told"
            )
        timing = measure_timing(session.run, data.inputs, batch=self._spec.policy.batch, device=self._device)
        return Measurement(
            task=self._task,
            version=variant.version,
            variant=variant.name,
            artefact_sha256=variant.artefact_sha256,
            measurer=self._name,
            data="own",
            data_sha256=b"",
            runtime=session.runtime,
            processor=self._processor,
            threads=1,
            num_examples=found.num_examples,
            counts=found.counts,
            drops=found.drops,
            **asdict(timing),
            measured_ms=int(time.time() * 1000),
        )
