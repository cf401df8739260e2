"""Wiring of the evaluation stage.

models, registry (tasks) ─▶ evaluate ─▶ releases, events
"""

from __future__ import annotations

from pipelines.evaluation.operators import Evaluate
from pipelines.flink.graph import Graph
from pipelines.flink.manifests import ManifestToMessage
from pipelines.flink.tasks import TaskToMessage


def attach(graph: Graph) -> None:
    """Add evaluation to a job."""
    manifests = graph.messages("models", "manifest-to-message", ManifestToMessage(graph.settings))
    tasks = graph.messages("registry", "task-to-evaluation", TaskToMessage(graph.settings))
    graph.emit(graph.process(manifests.union(tasks), "evaluate", Evaluate(graph.settings)))
