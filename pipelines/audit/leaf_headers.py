"""What goes beside leaves and checkpoints as Kafka headers, for a restart: not in their bytes, which are the log's.

    fluvial-source   of a leaf: where in `events` its event lies: int32 partition, int64 offset, big-endian
    fluvial-tree     of a checkpoint: the signer's state behind it (`fluvial.transparency.signer_state`)

Both are covered by the proof of the record's writer (`pipelines.flink.stage_mac`). An auditor needs neither.
"""

from __future__ import annotations

import struct

from fluvial.transparency.signer_state import HEADER as TREE
from fluvial.transparency.signer_state import SignerState
from pipelines.flink.frames import SourceRecord

SOURCE = "fluvial-source"

_PLACE = struct.Struct(">iq")
PLACE_BYTES = _PLACE.size


def source_header(partition: int, offset: int) -> tuple[str, bytes]:
    return SOURCE, _PLACE.pack(partition, offset)


def source_of(record: SourceRecord) -> tuple[int, int] | None:
    """Partition and offset of a leaf's event; None for a leaf that was written without, by a former release."""
    found = dict(record.headers).get(SOURCE)
    if found is None or len(found) != _PLACE.size:
        return None
    partition, offset = _PLACE.unpack(found)
    return partition, offset


def tree_header(state: SignerState) -> tuple[str, bytes]:
    return TREE, state.dump()


def tree_of(record: SourceRecord) -> SignerState | None:
    """The state behind a checkpoint; None for one that was written without."""
    found = dict(record.headers).get(TREE)
    try:
        return SignerState.load(found) if found is not None else None
    except ValueError:
        return None
