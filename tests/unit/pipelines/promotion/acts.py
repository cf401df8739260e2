"""Operators, their acts, and a task whose policy wants two of them."""

from hashlib import sha256

from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import OperatorAct, OperatorStep
from tests.unit.pipelines.promotion.builders import ARTEFACT, SPEC

OPERATORS = {name: SigningKey.generate() for name in ("north", "south", "west")}
KEYS = {name: key.public_key.hex() for name, key in OPERATORS.items()}


def a_spec(operators=2, keys=KEYS):
    policy = {"min_group": 200, "operators": operators, "operator_keys": keys}
    return AccelerationSpec.model_validate({**SPEC.model_dump(mode="json"), "policy": policy})


def an_act(step="PROMOTE", operator="north", promotion=1, reason="seen and agreed", key=None, **changes):
    """The act's record, its envelope and itself."""
    fields = {
        "task": "credit",
        "promotion": promotion,
        "artefact_sha256": ARTEFACT,
        "step": OperatorStep(step),
        "operator": operator,
        "reason": reason,
        "created_ms": 1,
    }
    act = OperatorAct(**{**fields, **changes})
    record = seal(act, key or OPERATORS.get(operator, OPERATORS["north"]), operator)
    return sha256(record).digest(), open_envelope(record), act
