"""Every operator of every stage is guarded: no record, whoever sent it, stops a job for ever."""

from __future__ import annotations

import importlib
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest

from pipelines.audit import job as audit_job
from pipelines.audit.operators import Sign
from pipelines.flink import guard
from pipelines.flink.graph import Graph
from pipelines.inference import job as inference_job
from pipelines.topology import STAGES
from pipelines.validation import job as validation_job
from pipelines.validation.operators.judging import Mark
from tests.unit.pipelines.validation.stage import SETTINGS

GUARDED = (guard._GuardedProcess, guard._GuardedBroadcast, guard._GuardedFlatMap)
WITHOUT = (Mark, Sign)
"""Mark puts a name before bytes. Sign raises where the log itself has lost leaves, which no record is to blame for."""


class Stream:
    """A stream that notes which functions it is given."""

    def __init__(self, functions: list[Any]) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        if name in {"process", "flat_map", "map"}:
            return self._given
        return lambda *_, **__: self

    def _given(self, function: Any, *_: Any) -> Stream:
        self._functions.append(function)
        return self


class NotingGraph:
    """The graph of a job, whose streams note which functions they are given."""

    messages, process = Graph.messages, Graph.process

    def __init__(self) -> None:
        self.settings = SETTINGS
        self.functions: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None if name.startswith("handed_over") else Stream(self.functions)


@pytest.mark.parametrize("stage", STAGES)
def test_no_operator_of_a_stage_can_be_stopped_by_a_record(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = SimpleNamespace(starts=defaultdict(dict), next_events={}, next_leaves={})
    monkeypatch.setattr(validation_job, "read_known", lambda *_, **__: nothing)
    monkeypatch.setattr(inference_job.log_reader, "read_to_end", lambda *_: [])
    monkeypatch.setattr(inference_job.log_reader, "offsets_at", lambda *_: {})
    committed = SimpleNamespace(view=lambda **__: nothing, check_events=lambda _: None)
    monkeypatch.setattr(audit_job, "CommittedLog", lambda _: committed)
    graph = NotingGraph()
    importlib.import_module(STAGES[stage].module).attach(graph)
    assert graph.functions
    for function in graph.functions:
        assert isinstance(function, GUARDED + WITHOUT), type(function).__name__
        again = cloudpickle.loads(cloudpickle.dumps(function))  # as it is sent to the cluster
        assert type(again) is type(function)
