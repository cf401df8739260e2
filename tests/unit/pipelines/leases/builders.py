"""Leases and a log of them in memory, for the tests of leases."""

from __future__ import annotations

from dataclasses import replace

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Fencing, Heartbeat, HolderState, Lease, LeaseCause
from pipelines.leases.liveness import Beat
from pipelines.leases.table import LeaseTable

KEY = SigningKey.from_seed(bytes(32))
OTHER_KEY = SigningKey.from_seed(bytes([1] * 32))


def lease(epoch: int, *stages: str, job: str = "one", cause: LeaseCause = LeaseCause.FREE) -> Lease:
    return Lease(
        epoch=epoch,
        stages=stages,
        job=job,
        host="host",
        pid=0,
        process_started_ms=0,
        cause=cause,
        taken_ms=0,
    )


def sealed(record: Lease | Fencing, key: SigningKey = KEY) -> bytes:
    return seal(record, key, "aggregator")


def table_of(*records: bytes) -> LeaseTable:
    """A table that has read these records, from offset 0 on, one a second."""
    table = LeaseTable(KEY.public_key)
    for offset, record in enumerate(records):
        table.add(record, offset, 1000 * offset)
    return table


def beat(epoch: int, timestamp_ms: int, state: HolderState = HolderState.RUNNING) -> Beat:
    return Beat(Heartbeat(epoch=epoch, job="one", state=state), timestamp_ms)


def renumbered(record: Lease, epoch: int) -> Lease:
    return replace(record, epoch=epoch)
