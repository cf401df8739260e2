"""What is served while serving is measured: the network of the task digits, in releases that differ by their seed.

The weights are those that training begins with: what an answer costs does not depend on them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.bench.seeding import task_record, wait
from deploy.federation.keys import ServiceKeys
from fluvial.edge.training.data_files import load_evaluation
from fluvial.edge.training.onnx_export import to_bytes
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.envelope import seal
from fluvial.inference.processor import processor_class
from fluvial.inference.session import OnnxSession
from fluvial.kafka import Transport
from fluvial.wire.document import read_document
from fluvial.wire.records import ChunkReference, Promotion, PromotionDecision, Task, Variant
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from models.acceleration.recipe import Subject

_TASK_FILE = Path(__file__).resolve().parents[2] / "tasks" / "digits" / "task.yaml"
VARIANT = "onnx"
PICTURE_DIVISOR = 255.0
"""The values of a picture, uint8, over this are what the network takes."""


def task_file() -> TaskFile:
    """The task digits, with a variant to serve. Nobody opens the sets that it names."""
    variants = [{"name": VARIANT, "recipe": "onnx_fp32"}]
    sets = {
        "calibration": "deploy/tasks/digits/participants.safetensors",
        "gate": "deploy/tasks/digits/evaluation.safetensors",
    }
    return TaskFile.model_validate({**read_document(_TASK_FILE), "acceleration": {"variants": variants, **sets}})


def module_of(specification: str) -> tuple[torch.nn.Module, tuple[int, ...]]:
    """The module of a task file's text, ready to answer, and the shape of one example."""
    state = TaskCode.of(TaskFile.model_validate_json(specification)).state()
    return state.module.eval(), load_evaluation(_TASK_FILE.with_name("evaluation.safetensors")).inputs.shape[1:]


def pictures(inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The bytes that were divided by PICTURE_DIVISOR before training. Raises ValueError where there are none such."""
    found = np.rint(inputs * np.float32(PICTURE_DIVISOR)).astype(np.uint8)
    if not np.array_equal(found.astype(np.float32) / np.float32(PICTURE_DIVISOR), inputs):
        raise ValueError("the inputs are no pictures")
    return found


@dataclass(slots=True)
class Releases:
    """Writes releases as the stages acceleration and promotion would, with the federation's service key. artefact: of
    the one that was built last."""

    transport: Transport
    topics: Topics
    keys: ServiceKeys
    task_file: TaskFile
    promoted: int = 0
    artefact: bytes = b""
    _runtime: str = ""

    def register(self) -> None:
        """Put the task in the registry."""
        task: Task = task_record(self.task_file, (), bytes(32))
        self._write(
            self.topics.registry, seal(task, self.keys.operator, "operator", self.topics.scope), f"task/{task.task}"
        )

    def built(self, version: int) -> Variant:
        """Build the release of a version, its model's weights drawn with that seed, and put it on the topics."""
        model = self.task_file.model.model_copy(update={"seed": version})
        code = TaskCode.of(self.task_file.model_copy(update={"model": model}))
        examples = load_evaluation(_TASK_FILE.with_name("evaluation.safetensors")).inputs
        return self.released(version, Subject(module=code.state().module.eval(), calibration=examples))

    def released(self, version: int, subject: Subject) -> Variant:
        """Put a model on the topics as the release of a version."""
        self.artefact = artefact = to_bytes(subject.exported())
        digest = sha256(artefact).digest()
        sent = self.transport.produce(self.topics.variant_blobs, artefact, key=b"bench", partition=0)
        place = wait([sent])[0]
        chunk = ChunkReference(partition=place.partition, offset=place.offset, length=len(artefact), sha256=digest)
        variant = Variant(
            task=self.task_file.task,
            version=version,
            model_digest=sha256(str(version).encode()).digest(),
            name=VARIANT,
            recipe="{}",
            builders="{}",
            calibration_sha256=bytes(32),
            artefact_sha256=digest,
            artefact_bytes=len(artefact),
            deterministic=True,
            chunks=(chunk,),
            failure="",
            created_ms=_now_ms(),
        )
        self._write(
            self.topics.variants, seal(variant, self.keys.aggregator, "aggregator", self.topics.scope), "variant"
        )
        self._runtime = OnnxSession(artefact).runtime
        return variant

    def promote(self, variant: Variant) -> int:
        """Promote it for this machine; the number of the promotion."""
        self.promoted += 1
        promotion = Promotion(
            task=variant.task,
            sequence=self.promoted,
            version=variant.version,
            model_digest=variant.model_digest,
            variant=variant.name,
            artefact_sha256=variant.artefact_sha256,
            runtime=self._runtime,
            processor=processor_class(),
            decision=PromotionDecision.PROMOTED,
            reason="promoted for a measurement",
            policy_sha256=bytes(32),
            measurements=(),
            findings=(),
            gate_uses=0,
            signers=(),
            acts=(),
            created_ms=_now_ms(),
        )
        self._write(
            self.topics.promotions, seal(promotion, self.keys.aggregator, "aggregator", self.topics.scope), variant.task
        )
        return self.promoted

    def _write(self, topic: str, record: bytes, key: str) -> None:
        wait([self.transport.produce(topic, record, key=key.encode())])


def _now_ms() -> int:
    return int(time.time() * 1000)
