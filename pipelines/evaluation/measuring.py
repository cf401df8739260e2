"""What is released of a model: its metrics, or the reason why it has none.

Nothing that a task or a data file can say is an error here. Only a broker that does not answer is one (TimeoutError):
then the model may well be measured a moment later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.metrics import Measured
from fluvial.edge.packages import Packages
from fluvial.edge.packages.allowed import NO_PACKAGES
from fluvial.edge.packages.errors import FAULTS
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import encode
from fluvial.wire.records import GroupMeasurement, Metric, ModelManifest, ParticipantsMetric, Release, Task
from fluvial.wire.task_file import TaskFile
from governance.audit.events import MAX_DATA_BYTES
from pipelines.flink.process_end import skipping_destructors

if TYPE_CHECKING:
    from models.evaluation.inference import Evaluator

REASON_CHARACTERS = 300
"""The longest reason in a release: it stands in the audit log for ever."""

_log = logger(__name__)

ReadModel = Callable[[ModelManifest], NDArray[np.float32]]
"""The flattened model, float32[num_elements]. Raises ChunkUnavailable, TimeoutError."""

Participants = Callable[[ModelManifest], tuple[ParticipantsMetric, ...]]
"""What participants measured, by the updates that a model was made of. Raises TimeoutError."""


def nothing_told(manifest: ModelManifest) -> tuple[ParticipantsMetric, ...]:
    """Of a federation whose participants tell nothing."""
    return ()


class Measuring:
    """Measures models of tasks, each with its own evaluator, which is made once for each file of a task."""

    def __init__(
        self,
        root: Path,
        device: str,
        read_model: ReadModel,
        packages: Packages = NO_PACKAGES,
        participants: Participants = nothing_told,
    ) -> None:
        """root: folder that evaluation sets are relative to. device: auto, cpu or cuda. packages: those whose code may
        run here. participants: what they told."""
        self._participants = participants
        self._root, self._device, self._read_model, self._packages = root, device, read_model, packages
        self._evaluators: dict[str, tuple[str, Evaluator]] = {}
        self._used: Evaluator | None = None
        self._without: dict[str, str] = {}

    def release(self, task: Task, manifest: ModelManifest) -> Release | None:
        """What evaluation says of the model: what it measures on the task's evaluation set, and what participants told.
        None where there is no set and nothing was told. Raises TimeoutError."""
        started = time.perf_counter()
        evaluator: Evaluator | None = None
        measured = Measured(metrics={})
        reason = ""
        try:
            evaluator = self._evaluator(task)
            if evaluator is not None:
                model = self._read_model(manifest)
                with nullcontext() if evaluator is self._used else skipping_destructors():
                    measured = evaluator.measure_with_groups(model)
                self._used = evaluator
        except TimeoutError:
            raise
        except FAULTS as error:  # whatever file, data, model, torch or device come to: a finding, no reason to stop
            reason = self._reason(error)
            _log.warning("%s version %d is not measured: %s", manifest.task, manifest.version, reason)
        participants = self._participants(manifest)
        if evaluator is None and not reason and not participants:
            return None
        release = Release(
            task=manifest.task,
            version=manifest.version,
            model_digest=manifest.model_digest,
            metrics=_metrics(measured.metrics),
            num_examples=evaluator.num_examples if evaluator and not reason else 0,
            device=evaluator.device if evaluator and not reason else "",
            duration_ms=round((time.perf_counter() - started) * 1000),
            reason=reason,
            groups=tuple(
                GroupMeasurement(
                    attribute=_printable(group.attribute),
                    group=_printable(group.group),
                    num_examples=group.num_examples,
                    metrics=_metrics(group.metrics),
                    reason=_printable(group.reason),
                )
                for group in measured.groups
            ),
            participants=participants,
        )
        if (size := len(encode(release))) <= MAX_DATA_BYTES:
            return release
        why = (
            f"its measurements take {size} bytes, more than an event of the audit log has: name fewer metrics or groups"
        )
        return replace(release, metrics=(), groups=(), num_examples=0, device="", reason=why)

    def again(self, task: Task, manifest: ModelManifest) -> Release | None:
        """What takes the place of a release that told why the model was not measured; None where it cannot be measured
        now either. A task's file that no evaluator can be made of is tried once, not for each version.

        Raises TimeoutError."""
        if self._without.get(task.task) == task.specification:
            return None
        release = self.release(task, manifest)
        if task.task not in self._evaluators:
            self._without[task.task] = task.specification
        if release is None or release.reason or not release.metrics:
            return None
        return replace(release, again=True)

    def _evaluator(self, task: Task) -> Evaluator | None:
        # Torch takes seconds to load: no job that is submitted waits for it, and none whose tasks need no evaluation.
        from fluvial.edge.training.task_code import TaskCode
        from models.evaluation.task import evaluator_of

        specification, evaluator = self._evaluators.get(task.task, ("", None))
        if evaluator is None or specification != task.specification:
            self._evaluators.pop(task.task, None)
            task_file = TaskFile.model_validate_json(task.specification)
            with skipping_destructors():
                evaluator = evaluator_of(TaskCode.of(task_file, self._packages, self._root), self._device)
            if evaluator is not None:
                self._evaluators[task.task] = task.specification, evaluator
        return evaluator

    def _reason(self, error: BaseException) -> str:
        """The error in words, without where things lie on this machine: it stands in the log."""
        kind = "" if isinstance(error, ValueError | ChunkUnavailable) else f"{type(error).__name__}: "
        text = f"{kind}{error}"
        for folder in (*self._packages.folders, self._root):
            text = text.replace(f"{folder.absolute()}", folder.name)
        return _printable(text) or "no reason is known"


def _metrics(values: Mapping[str, float]) -> tuple[Metric, ...]:
    return tuple(Metric(name=name, value=value) for name, value in sorted(values.items()))


def _printable(text: str) -> str:
    """One line, without what a terminal would act on."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:REASON_CHARACTERS]
