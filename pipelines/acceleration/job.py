"""Wiring of the acceleration stage.

models, registry (tasks) ─▶ accelerate ⇄ worker process ─▶ variant-blobs; variants, measurements, events
"""

from __future__ import annotations

from pipelines.acceleration.operators import Accelerate
from pipelines.flink.graph import Graph
from pipelines.flink.manifests import ManifestToMessage
from pipelines.flink.tasks import TaskToMessage


def attach(graph: Graph) -> None:
    """Add acceleration to a job."""
    manifests = graph.messages("models", "manifest-to-acceleration", ManifestToMessage(graph.settings))
    tasks = graph.messages("registry", "task-to-acceleration", TaskToMessage(graph.settings))
    graph.emit(graph.process(manifests.union(tasks), "accelerate", Accelerate(graph.settings)))
