"""Registering a task again: what may change, and what is refused before it is signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.acts.tasks import propose_terms, update_task
from deploy.federation.keys import ServiceKeys
from deploy.machine.jars import CHECKOUT
from fluvial.edge.training.architectures import build
from fluvial.edge.training.module_state import ModuleState
from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey
from fluvial.registry.acts import ActRefused, OperatorActs
from fluvial.registry.approval import approve
from fluvial.wire.records import Task
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

HEART = TaskFile.read(CHECKOUT / "deploy" / "tasks" / "heart" / "task.yaml")


@pytest.fixture
def acts(tmp_path: Path) -> OperatorActs:
    keys = ServiceKeys.load_or_make(tmp_path)
    federation = keys.federation(Brokers(bootstrap_servers="none:1"), topic_prefix="x.", partitions=1)
    made = OperatorActs(MemoryTransport({federation.topics.registry: 1}), federation, keys.operator)
    made.register(
        Task(
            task=HEART.task,
            specification=HEART.model_dump_json(),
            layout=ModuleState(build(HEART.model.architecture, HEART.model.parameters)).layout,
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
        )
    )
    return made


def changed(**changes: Any) -> TaskFile:
    return TaskFile.model_validate({**HEART.model_dump(), **changes})


def test_other_terms_are_registered_as_the_next_version(acts: OperatorActs) -> None:
    updated = update_task(acts, changed(rounds=99))
    assert acts.registry().task(HEART.task) == updated
    assert (TaskFile.model_validate_json(updated.specification).rounds, updated.version) == (99, 1)


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({}, ActRefused, "these very terms"),
        ({"task": "lung"}, ActRefused, "there is no task lung"),
        ({"chunk_elements": 8, "kept_versions": 3}, ValueError, "chunk_elements, kept_versions: as the task was"),
        ({"target": 100_000}, ValueError, "room for"),
        ({"rule": {"name": "mode"}}, ValueError, "unknown aggregation rule"),
    ],
)
def test_what_could_not_run_or_holds_for_life_is_refused(
    acts: OperatorActs, changes: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        update_task(acts, changed(**changes))
    task = acts.registry().task(HEART.task)
    assert task is not None
    assert task.version == 0


def test_weaker_terms_are_proposed_signed_and_registered(acts: OperatorActs) -> None:
    anna, ben = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
    keys = {"anna": anna.public_key.hex(), "ben": ben.public_key.hex()}
    approval = {"operators": 2, "operator_keys": keys}
    stricter = changed(approval=approval, quorum=HEART.quorum)
    assert update_task(acts, stricter).version == 1
    weaker = changed(approval=approval, quorum=HEART.quorum - 1)
    with pytest.raises(ActRefused, match=r"need 2 signatures, of anna, ben; there are 0.*--propose"):
        update_task(acts, weaker)
    sealed = propose_terms(acts, weaker)
    with pytest.raises(ActRefused, match="there are 1"):
        acts.register_approved(approve(sealed, anna, "anna"))
    approved = approve(approve(sealed, anna, "anna"), ben, "ben")
    registered = acts.register_approved(approved)
    assert acts.registry().task(HEART.task) == registered
    assert TaskFile.model_validate_json(registered.specification).quorum == HEART.quorum - 1
    with pytest.raises(ActRefused, match="propose it anew"):
        acts.register_approved(approved)
    # What was approved stays as it is when the operator alone halts the task.
    paused = acts.pause(HEART.task)
    assert acts.registry().task(HEART.task) == paused
