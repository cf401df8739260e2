"""Decisions as each set of the gate's rules made them, from the same measurements: `tests/golden/gate.json`.

`python -m tests.unit.governance.promotion.golden` adds those of this program's rules, where they have none yet. What
stands there is never written again: it is what logs hold. Those of rules 0 were made by the gate as it was before its
rules were numbered, and before its bound was made wider in small groups.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.framing import encode
from fluvial.wire.records import Measurement, MetricDrop, Promotion
from governance.promotion.judgement import RULES
from pipelines.promotion.logic import TaskPromotions, decide, with_measurement, with_spec, with_variant
from tests.unit.pipelines.promotion.builders import SPEC, a_measurement, a_variant, counts, everything

FILE = Path(__file__).resolve().parents[3] / "golden" / "gate.json"


def own(measurer: str, harmed: int) -> Measurement:
    rows = everything(4_000, harmed)
    return a_measurement(rows, measurer=measurer, data="own", data_sha256=b"", processor="NEON")


def a_drop(group: str, bound: float) -> MetricDrop:
    return MetricDrop(metric="auc", group=group, num_examples=900, value=0.76, drop=0.01, bound=bound, p_value=0.3)


LARGE = everything(12_000, 5)
CASES: dict[str, tuple[dict[str, Any], list[Measurement]]] = {
    "within": ({}, [a_measurement(LARGE)]),
    "harm shown": ({}, [a_measurement((*LARGE, counts("recall:1", "age:50-80", 266, 21)))]),
    "harm and help": ({}, [a_measurement((*LARGE, counts("recall:1", "age:50-80", 900, 30, 12)))]),
    "few examples": ({}, [a_measurement((*LARGE, counts("recall:1", "age:50-80", 150)))]),
    "few examples, allowed": ({"undecided": "allow"}, [a_measurement((*LARGE, counts("recall:1", "age:50-80", 150)))]),
    "at the edge of a small group": ({"min_group": 60}, [a_measurement((*LARGE, counts("accuracy", "sex:2", 138)))]),
    "a margin of its own": (
        {"margins": {"age:50-80": 0.1}},
        [a_measurement((*LARGE, counts("recall:1", "age:50-80", 400, 9)))],
    ),
    "below a floor": (
        {"floors": {"accuracy": 0.999}},
        [a_measurement((*LARGE, counts("accuracy", "sex:2", 4_000, 8)))],
    ),
    "a bootstrap": ({"metrics": ["auc"]}, [a_measurement((), drops=(a_drop("all", 0.015), a_drop("sex:2", 0.03)))]),
    "operators must sign": (
        {"operators": 1, "operator_keys": {"north": "ab" * 32}},
        [a_measurement(LARGE)],
    ),
    "nobody but two participants": ({"min_organisations": 2}, [own("north", 4), own("south", 9)]),
    "one participant alone": ({}, [own("north", 4)]),
    "a liar among three": ({}, [own("north", 4), own("south", 4_000), own("west", 6)]),
}


def terms_of(policy: dict[str, Any]) -> AccelerationSpec:
    stated = {**SPEC.policy.model_dump(mode="json"), **policy}
    return AccelerationSpec.model_validate({**SPEC.model_dump(mode="json"), "policy": stated})


def decided(spec: AccelerationSpec, measurements: list[Measurement]) -> Promotion:
    """What these rules make of all the measurements together."""
    state = with_variant(with_spec(TaskPromotions(), spec, bytes(32)), a_variant())
    for measurement in measurements:
        state = with_measurement(state, measurement, digest_of(measurement))
    _, (decision,) = decide(state, 1_000)
    return decision


def digest_of(measurement: Measurement) -> bytes:
    return sha256(encode(measurement)).digest()


def golden() -> dict[str, dict[str, str]]:
    """Of each case the policy's digest and the decision's bytes."""
    found = {}
    for name, (policy, measurements) in CASES.items():
        spec = terms_of(policy)
        decision = encode(decided(spec, measurements))
        found[name] = {"policy_sha256": spec.policy.digest().hex(), "decision": decision.hex()}
    return found


def main(rules: int = RULES) -> None:
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    stored.setdefault(str(rules), golden())
    FILE.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
