"""Terms that weaken a task: what weakens, and whose signatures they need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.registry.approval import (
    NEVER_WEAKENS,
    WEAKENS,
    approve,
    check_approved,
    open_proposal,
    signers,
    weakened,
    why_not_approved,
)
from fluvial.registry.records import registry_key
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError, VerificationError
from fluvial.wire.framing import encode
from fluvial.wire.records import Task
from fluvial.wire.task_file import TaskFile

OPERATOR, REGISTRAR, ANNA, BEN, CARL = (SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 6))
APPROVAL = {
    "operators": 2,
    "operator_keys": {name: key.public_key.hex() for name, key in (("anna", ANNA), ("ben", BEN), ("carl", CARL))},
}
FILE: dict[str, Any] = {
    "task": "demo",
    "title": "A demonstration",
    "model": {"architecture": "none"},
    "rounds": 2,
    "quorum": 3,
    "target": 5,
    "deadline_seconds": 5,
    "rule": {"name": "median"},
    "limits": {"max_abs": 10.0, "max_weight": 100},
    "encodings": ["float32", "int8"],
    "sampling": {"fraction": 0.5},
    "participation": {"min_examples": 10},
    "held_out": {"metrics": ["accuracy"], "min_participants": 3},
    "agreement": {"name": "terms", "text": "We agree."},
    "scoring": {"canary": "canary.npz", "max_loss_increase": 0.5},
    "approval": APPROVAL,
}


def a_file(**changes: Any) -> TaskFile:
    return TaskFile.model_validate({**FILE, **changes})


def a_task(version: int = 0, **changes: Any) -> Task:
    return Task(
        task="demo",
        specification=a_file(**changes).specification(),
        layout=(),
        base_version=0,
        base_digest=bytes(32),
        base_chunks=(),
        created_ms=version,
        version=version,
    )


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, ()),
        ({"quorum": 2}, ("quorum",)),
        ({"quorum": 4}, ()),
        ({"target": 4}, ("target",)),
        ({"target": 6}, ()),
        ({"rule": {"name": "weighted_mean"}}, ("rule",)),
        ({"limits": {"max_abs": 20.0, "max_weight": 100}}, ("limits",)),
        ({"encodings": ["float32", "top_k"]}, ("encodings",)),
        ({"encodings": ["float32"]}, ()),
        ({"sampling": {"fraction": 0.5, "over_invitation": 1.5}}, ("sampling",)),
        ({"sampling": {"fraction": 0.2}}, ()),
        ({"participation": {"min_examples": 9}}, ("participation",)),
        ({"participation": {"min_examples": 11}}, ()),
        ({"held_out": {"metrics": ["accuracy", "auc"], "min_participants": 3}}, ("held_out",)),
        ({"held_out": {"metrics": ["accuracy"], "min_participants": 2}}, ("held_out",)),
        ({"held_out": {}}, ()),
        ({"agreement": None}, ("agreement",)),
        ({"scoring": None}, ("scoring",)),
        ({"evaluation": {"data": "elsewhere", "metrics": ["accuracy"]}}, ("evaluation",)),
        ({"approval": {**APPROVAL, "operators": 1}}, ("approval",)),
        ({"approval": {**APPROVAL, "operators": 3}}, ()),
        ({"approval": {**APPROVAL, "operator_keys": {**APPROVAL["operator_keys"], "dora": "ab" * 32}}}, ("approval",)),
        ({"approval": {}}, ("approval",)),
        ({"rounds": 9, "title": "Longer", "deadline_seconds": 60, "training": {"epochs": 3}}, ()),
        ({"quorum": 1, "rule": {"name": "weighted_mean"}}, ("quorum", "rule")),
    ],
)
def test_what_weakens(changes: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert weakened(a_file(), a_file(**changes)) == fields


def test_every_field_that_is_named_is_one_of_the_task_file() -> None:
    assert not set(WEAKENS) & NEVER_WEAKENS
    assert {*WEAKENS, *NEVER_WEAKENS} <= set(TaskFile.model_fields)


def test_weaker_terms_need_as_many_operators_as_the_terms_before_ask_for() -> None:
    before, after = a_file(), a_file(quorum=1, approval={})
    sealed = seal(a_task(1, quorum=1, approval={}), OPERATOR, "operator")
    assert "approval, quorum need 2 signatures, of anna, ben, carl; there are 0" in why_not_approved(
        before, after, sealed
    )
    once = approve(sealed, ANNA, "anna")
    assert "there are 1" in why_not_approved(before, after, once)
    assert "there are 1" in why_not_approved(before, after, approve(once, ANNA, "ben"))
    assert "there are 1" in why_not_approved(before, after, approve(once, SigningKey.generate(), "ben"))
    twice = approve(once, BEN, "ben")
    assert why_not_approved(before, after, twice) == ""
    assert signers(before.approval, twice) == ("anna", "ben")
    assert why_not_approved(before, a_file(rounds=9), seal(a_task(1, rounds=9), OPERATOR, "operator")) == ""
    assert why_not_approved(a_file(approval={}), after, sealed) == ""


def test_a_signature_on_other_terms_counts_for_none() -> None:
    signed = open_envelope(approve(seal(a_task(1, quorum=2), OPERATOR, "operator"), ANNA, "anna")).signatures[1]
    sealed = approve(seal(a_task(1, quorum=1), OPERATOR, "operator"), BEN, "ben")
    envelope = open_envelope(sealed)
    forged = encode(replace(envelope, signatures=(*envelope.signatures, signed)))
    assert signers(a_file().approval, forged) == ("ben",)


def test_the_registry_keeps_its_terms_until_enough_have_signed() -> None:
    registry = VerifiedRegistry(OPERATOR.public_key, REGISTRAR.public_key)
    first, weaker = a_task(), a_task(1, quorum=1)
    key = registry_key(first)
    assert registry.apply(key, seal(first, OPERATOR, "operator"))
    sealed = seal(weaker, OPERATOR, "operator")
    for unsigned in (sealed, approve(sealed, ANNA, "anna")):
        with pytest.raises(VerificationError, match="quorum"):
            registry.apply(key, unsigned)
        assert registry.task("demo") == first
    assert registry.apply(key, approve(approve(sealed, ANNA, "anna"), CARL, "carl"))
    assert registry.task("demo") == weaker


def test_the_operators_signatures_are_not_enough_without_the_federations() -> None:
    registry = VerifiedRegistry(OPERATOR.public_key, REGISTRAR.public_key)
    first = a_task()
    registry.apply(registry_key(first), seal(first, OPERATOR, "operator"))
    sealed = approve(seal(a_task(1, quorum=1), ANNA, "anna"), BEN, "ben")
    with pytest.raises(FluvialError):
        registry.apply(registry_key(first), sealed)


def test_a_file_that_cannot_be_read_is_no_way_out_of_the_threshold() -> None:
    with pytest.raises(VerificationError, match="cannot be read"):
        check_approved(a_file().specification(), "no task file", seal(a_task(1), OPERATOR, "operator"))
    check_approved("no task file", a_file().specification(), b"")


def test_a_proposal_is_a_task_that_the_federations_operator_signed() -> None:
    federation = Federation(
        bootstrap_servers="none:1",
        topic_prefix="x.",
        partitions=1,
        operator_key=OPERATOR.public_key.hex(),
        registrar_key=REGISTRAR.public_key.hex(),
        aggregator_key=REGISTRAR.public_key.hex(),
        log_key="log.example/audit+00000000+" + "A" * 44,
    )
    scope = federation.topics.scope
    assert open_proposal(seal(a_task(1), OPERATOR, "operator", scope), federation) == a_task(1)
    with pytest.raises(FluvialError):
        open_proposal(seal(a_task(1), ANNA, "anna", scope), federation)
    with pytest.raises(FluvialError):
        open_proposal(b"junk", federation)
