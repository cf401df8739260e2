"""The simulation's server takes updates that were signed for the federation that its parties name, and no others."""

from __future__ import annotations

import pytest

from deploy.simulation.memory_log import MemoryLog
from deploy.simulation.parties import Parties
from deploy.simulation.server import Server
from fluvial.admission.judgement import Source
from fluvial.identity.envelope import seal
from fluvial.wire.records import Reason
from fluvial.wire.topics import Topics
from tests.unit.governance.admission.builders import an_update

HERE = Topics("x.", "1f" * 16).scope


@pytest.mark.parametrize(("signed_for", "reason"), [(HERE, Reason.TASK_UNKNOWN), ("", Reason.OTHER_FEDERATION)])
def test_an_update_of_another_federation_is_refused(signed_for: str, reason: Reason) -> None:
    parties = Parties(seed=1, scope=HERE)
    key = parties.key("alice")
    parties.enrol("alice", key.public_key)
    server = Server(MemoryLog(), parties)
    source = Source(topic="updates", partition=0, offset=0, timestamp_ms=1, key=b"alice")
    verdict = server.receive(seal(an_update(), key, "alice", signed_for), source, now_ms=1)
    assert verdict.reason is reason
