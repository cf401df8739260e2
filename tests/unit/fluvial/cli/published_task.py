"""A task with a package, and two versions of its model, in a federation in memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fluvial.edge.packages import Packages, pinned
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.predictions import predict
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.envelope import seal
from fluvial.wire.framing import encode
from fluvial.wire.records import Contribution, GroupMeasurement, Metric, ParticipantsMetric, Release, Task
from tests.unit.fluvial.edge.packages.packages_world import task_file, write
from tests.unit.fluvial.edge.world import AGGREGATOR, OPERATOR, TASK, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.kinds = nn.Embedding(4, 3)
        self.norm = nn.BatchNorm1d(inputs + 3)
        self.last = nn.Linear(inputs + 3, 2)

    def forward(self, numbers, kind):
        return self.last(self.norm(torch.cat([numbers, self.kinds(kind)], 1)).relu())

def net(inputs):
    return Net(inputs)
"""
DATA = """
import numpy as np

def load(path, index):
    random = np.random.default_rng(index)
    numbers, kinds = random.normal(size=(30, 3)).astype(np.float32), random.integers(0, 4, 30)
    return {"numbers": numbers, "kind": kinds}, random.integers(0, 2, 30)

def evaluation(folder):
    return load(folder, 99)
"""


class PublishedTask:
    """A federation in memory with two versions of a task with a package."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.package = write(folder, model=MODEL, data=DATA)
        federation = a_federation()
        federation.save(folder / ".fluvial/federation.json")
        self.world = World(federation, MemoryTransport(topic_partitions(federation)))
        packages = Packages([self.package])
        agreement = {"name": "research", "text": "For research only."}
        wanted = task_file(
            task=TASK,
            title="Scans | of chests",
            licence="apache-2.0",
            agreement=agreement,
            model={"builder": "chest_xray.model:net", "parameters": {"inputs": 3}, "seed": 4},
            **changes,
        )
        signed = pinned(wanted, packages.of(wanted))
        self.code = TaskCode.of(signed, packages)
        state = self.code.state()
        generator = np.random.default_rng(8)
        self.model_D = np.abs(state.flatten() + generator.normal(size=state.size).astype(np.float32) / 4)
        state.load(self.model_D)
        self.module = state.module.eval()
        self.world.publish_agreement()
        self.layout = state.layout
        self.register(signed.specification())
        chunks, digest = self.world.publish_model(self.model_D)
        first = self.world.publish_manifest(0, OPERATOR)
        parts = tuple(
            Contribution(
                participant=f"hospital-{number}",
                update_id=f"u{number}",
                source_partition=0,
                source_offset=number,
                record_sha256=bytes([number] * 32),
                weight=10,
                selected=number != 2,
                effective_weight=10,
                round=1,
            )
            for number in range(3)
        )
        self.manifest = replace(
            first,
            version=1,
            round=1,
            parent_version=0,
            layout=state.layout,
            num_elements=state.size,
            chunks=chunks,
            model_digest=digest,
            contributions=parts,
        )
        self.world.put(self.world.topics.models, f"{TASK}/1", seal(self.manifest, AGGREGATOR, "aggregator"))

    def register(self, specification: str, created_ms: int = 1) -> None:
        record = Task(
            task=TASK,
            specification=specification,
            layout=self.layout,
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=created_ms,
            version=created_ms,
        )
        self.world.put(self.world.topics.registry, f"task/{TASK}", seal(record, OPERATOR, "operator"))

    def release(self) -> None:
        groups = GroupMeasurement(
            attribute="site", group="north", num_examples=400, metrics=(Metric(name="auc", value=0.75),), reason=""
        )
        told = ParticipantsMetric(
            version=1, attribute="", group="", metric="auc", participants=3, num_examples=90, mean=0.7,
            p10=0.5, p25=0.6, p50=0.71, p75=0.8, p90=0.9,
        )  # fmt: skip
        for version, fields in ((1, {"metrics": (Metric(name="auc", value=0.8125),), "groups": (groups,)}), (2, {})):
            release = Release(
                task=TASK, version=version, model_digest=self.manifest.model_digest, num_examples=1203, device="cpu",
                duration_ms=1, **{"metrics": (), "participants": (told,) if version == 2 else (), **fields},
            )  # fmt: skip
            self.world.put(self.world.topics.releases, TASK, encode(release))

    def answers(self) -> np.ndarray:
        return predict(self.module, self.examples())

    def examples(self) -> Examples:
        return self.code.participant_examples(Path(), 5)
