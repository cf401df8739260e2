"""Wiring of the acceleration stage.

models, registry (tasks) ─▶ accelerate ⇄ worker process ─▶ variant-blobs; variants, measurements, events
"""

from __future__ import annotations

from pyflink.common import Types

from pipelines.acceleration.operators import Accelerate
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.flink.manifests import ManifestToMessage
from pipelines.flink.messages import key_of
from pipelines.flink.tasks import TaskToMessage


def attach(graph: Graph) -> None:
    """Add acceleration to a job."""
    settings = graph.settings
    manifests = (
        graph.source("models")
        .flat_map(guarded(ManifestToMessage(settings), "manifest-to-acceleration", settings, Form.RECORD), BYTES)
        .name("manifest-to-acceleration")
    )
    tasks = (
        graph.source("registry")
        .flat_map(guarded(TaskToMessage(settings), "task-to-acceleration", settings, Form.RECORD), BYTES)
        .name("task-to-acceleration")
    )
    graph.emit(
        manifests.union(tasks)
        .key_by(key_of, Types.STRING())
        .process(guarded(Accelerate(settings), "accelerate", settings, Form.MESSAGE), BYTES)
        .name("accelerate")
        .uid("accelerate")
    )
