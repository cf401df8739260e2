"""Laws of the registry: whatever copies are read, and in whatever order, the same is in force in the end."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import RegistryRecord, registry_key
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.records import ParticipantStatus
from tests.laws.effort import examples
from tests.unit.governance.admission.builders import TERMS, a_participant, a_task

OPERATOR = SigningKey.from_seed(bytes([11]) * 32)
MEMBERS = [SigningKey.from_seed(bytes([20 + number]) * 32) for number in range(3)]


@st.composite
def histories(draw: st.DrawFn) -> list[RegistryRecord]:
    """What an honest operator and registrar have written, oldest first, each counted up."""
    records: list[RegistryRecord] = []
    number = status = None
    for version in range(draw(st.integers(1, 6))):
        if number is None or status is ParticipantStatus.REVOKED or draw(st.booleans()):
            number = draw(st.integers(0, 2)) if number is None else (number + 1) % 3 if version < 3 else None
            if number is None:
                break
            status = ParticipantStatus.ACTIVE
        else:
            status = ParticipantStatus.REVOKED
        key = MEMBERS[number].public_key
        records.append(a_participant(public_key=key, status=status, version=version, enrolled_ms=1_500 + version))
    records += (replace(TERMS, text=f"Be {version}.", version=version) for version in range(draw(st.integers(0, 3))))
    records += (a_task(specification=str(version), version=version) for version in range(draw(st.integers(0, 3))))
    return records


def in_force(records: list[RegistryRecord]) -> tuple[object, ...]:
    registry = VerifiedRegistry(OPERATOR.public_key, OPERATOR.public_key)
    for record in records:
        registry.apply(registry_key(record), seal(record, OPERATOR, "operator"))
    revoked = [registry.is_revoked("alice", member.public_key) for member in MEMBERS]
    return registry.participant("alice"), registry.agreement("terms"), registry.task("demo"), revoked


@given(st.data(), histories())
@examples(25)
def test_copies_change_nothing_and_order_does_not_matter(data: st.DataObject, history: list[RegistryRecord]) -> None:
    copies = data.draw(st.lists(st.sampled_from(history), max_size=6))
    expected = in_force(history)
    assert in_force([*history, *copies]) == expected
    assert in_force(data.draw(st.permutations([*history, *copies]))) == expected
