"""Memory and time of verifying a log of a million leaves, from its beginning and from its last checkpoint on.

    python -m tests.benchmarks.million_leaves [--leaves 1000000]

The leaves are verdicts, made while they are read, so that nothing but the verifier keeps any of them; each thousand has
a checkpoint, as a busy federation signs them. What making them takes is measured apart and left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import replace

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.signed_log import verify_signed_log
from fluvial.identity.keys import SigningKey
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven
from fluvial.wire.records import Decision, Reason, Verdict
from governance.audit.events import audit_event
from governance.audit.sequencer import append

NAME = "log.example/audit"
BETWEEN_CHECKPOINTS = 1_000
VERDICT = Verdict(
    source_topic="fluvial.updates",
    source_partition=0,
    source_offset=0,
    source_timestamp_ms=1_700_000_000_000,
    record_sha256=bytes(32),
    participant="hospital-a",
    task="heart",
    round=1,
    attempt=1,
    update_id="0" * 32,
    decision=Decision.ACCEPT,
    reason=Reason.ACCEPTED,
    norm=1.0,
    max_abs=0.5,
)


def leaves(count: int) -> Iterator[bytes]:
    end = ChainEnd()
    for number in range(count):
        end, leaf = append(end, audit_event(replace(VERDICT, source_offset=number), number))
        yield leaf


def records(count: int, first: int = 0) -> Iterator[TopicRecord]:
    for number, leaf in enumerate(leaves(count)):
        if number >= first:
            yield TopicRecord(topic="audit", partition=0, offset=number, timestamp_ms=number, key=None, value=leaf)


def signed(count: int, key: SigningKey, between: int = BETWEEN_CHECKPOINTS) -> tuple[list[bytes], bytes]:
    """The checkpoints of so many leaves, and the root of all. between: leaves from one to the next."""
    tree, notes = CompactRange.empty(), []
    for number, leaf in enumerate(leaves(count), 1):
        tree = tree.append(leaf_hash(leaf))
        if number % between == 0:
            notes.append(sign_checkpoint(Checkpoint(origin=NAME, size=number, root=tree.root()), key))
    return notes, tree.root()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    count = parser.parse_args().leaves
    key = SigningKey.generate()
    began = time.process_time()
    notes, root = signed(count, key)
    making, before_kib = time.process_time() - began, _peak_kib()
    log_key = NoteKey(name=NAME, public_key=key.public_key)

    middle = count - BETWEEN_CHECKPOINTS
    began = time.process_time()
    sum(1 for _ in records(middle))
    making_alone = time.process_time() - began
    began = time.process_time()
    report, proven = verify_signed_log(notes[:-1], records(middle), log_key, Proven())
    seconds = time.process_time() - began - making_alone
    assert report.verified

    tail = list(records(count, proven.offset))
    began = time.process_time()
    later, proven = verify_signed_log(notes[-2:], tail, log_key, proven)
    on_seconds = time.process_time() - began
    assert later.verified
    assert (later.size, later.root) == (count, root.hex())
    print(
        json.dumps(
            {
                "leaves": count,
                "megabytes": round(sum(len(leaf) for leaf in leaves(count)) / 1e6, 1),
                "processor_seconds": round(seconds, 1),
                "leaves_per_second": round(middle / seconds),
                "memory_before_mib": round(before_kib / 1024, 1),
                "peak_memory_mib": round(_peak_kib() / 1024, 1),
                "kept_bytes": len(proven.dump()),
                "last_thousand_milliseconds": round(1000 * on_seconds, 1),
                "making_processor_seconds": round(making, 1),
            }
        )
    )


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
