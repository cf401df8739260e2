"""Wiring of the evaluation stage.

models, registry (tasks) ─▶ evaluate ─▶ releases, events
"""

from __future__ import annotations

from pyflink.common import Types

from pipelines.evaluation.operators import Evaluate
from pipelines.flink.graph import BYTES, Graph
from pipelines.flink.guard import Form, guarded
from pipelines.flink.manifests import ManifestToMessage
from pipelines.flink.messages import key_of
from pipelines.flink.tasks import TaskToMessage


def attach(graph: Graph) -> None:
    """Add evaluation to a job."""
    settings = graph.settings
    manifests = (
        graph.source("models")
        .flat_map(guarded(ManifestToMessage(settings), "manifest-to-message", settings, Form.RECORD), BYTES)
        .name("manifest-to-message")
    )
    tasks = (
        graph.source("registry")
        .flat_map(guarded(TaskToMessage(settings), "task-to-evaluation", settings, Form.RECORD), BYTES)
        .name("task-to-evaluation")
    )
    graph.emit(
        manifests.union(tasks)
        .key_by(key_of, Types.STRING())
        .process(guarded(Evaluate(settings), "evaluate", settings, Form.MESSAGE), BYTES)
        .name("evaluate")
        .uid("evaluate")
    )
