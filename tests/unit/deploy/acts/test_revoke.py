"""Revoking a participant: the record that the operator signs, and what becomes of copies of the former one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.bench.seeding import register
from deploy.federation.keys import ServiceKeys
from fluvial.edge.registry import Registry
from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey
from fluvial.registry.acts import ActRefused, OperatorActs
from fluvial.wire.records import ParticipantStatus
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


def test_a_revoked_key_is_out_of_force_for_good(tmp_path: Path) -> None:
    keys = ServiceKeys.load_or_make(tmp_path)
    federation = keys.federation(Brokers(bootstrap_servers="none:1"), topic_prefix="x.", partitions=1)
    transport = MemoryTransport({federation.topics.registry: 1})
    acts, anna = OperatorActs(transport, federation, keys.operator), SigningKey.generate()
    register(transport, federation.topics, keys, {"anna": anna})
    with pytest.raises(ActRefused, match="nobody is enrolled as ben"):
        acts.revoke("ben")

    revoked = acts.revoke("anna")
    assert (revoked.status, revoked.public_key) == (ParticipantStatus.REVOKED, anna.public_key)
    register(transport, federation.topics, keys, {"anna": anna})  # as whoever kept a copy of the record would
    registry = Registry(transport, federation)
    registry.refresh()
    found = registry.participant("anna")
    assert found is not None
    assert found.status is ParticipantStatus.REVOKED
    with pytest.raises(ActRefused, match="revoked already"):
        acts.revoke("anna")
