"""An `OverRate` is on exactly the records that were refused, fits an event, and is nothing else."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.admission.over_rate import MAX_RECORDS, OverRates, offsets_of, verdicts_of
from fluvial.wire.errors import Malformed
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, OverRate, Reason, Run
from governance.audit.events import MAX_DATA_BYTES, audit_event, open_event


def refused(*records: tuple[int, str, int]) -> list[OverRate]:
    """records: partition, name, offset."""
    gathered = OverRates("updates")
    for partition, name, offset in records:
        gathered.add((partition, name), offset, 1_000 + offset % 1_000, b"%d" % offset)
    return gathered.take_full() + gathered.take()


SENDERS = st.tuples(st.integers(0, 2), st.sampled_from(["", "anna", "bob"]))


@given(st.lists(SENDERS, max_size=200), st.integers(0, 1 << 40))
def test_each_record_is_in_exactly_one(senders: list[tuple[int, str]], first: int) -> None:
    records = [(partition, name, first + number) for number, (partition, name) in enumerate(senders)]
    found = [
        (each.source_partition, each.participant, verdict.source_offset)
        for each in refused(*records)
        for verdict in verdicts_of(decode(encode(each), OverRate))
    ]
    assert sorted(found) == sorted(records)
    for each in refused(*records):
        offsets = [offset for run in offsets_of(each) for offset in run]
        assert each.first == offsets[0]
        assert each.source_timestamp_ms == 1_000 + offsets[0] % 1_000
        digests = b"".join(sha256(b"%d" % offset).digest() for offset in offsets)
        assert each.records_sha256 == sha256(digests).digest()


def test_a_verdict_on_one_of_them_is_a_refusal_unopened() -> None:
    (each,) = refused((1, "anna", 5))
    (verdict,) = verdicts_of(each)
    assert (verdict.decision, verdict.reason) == (Decision.REJECT, Reason.OVER_RATE)
    assert (verdict.participant, verdict.task, verdict.update_id) == ("anna", "", "")


def test_the_largest_fits_an_event_of_the_audit_log() -> None:
    """Between any two of its records lie as many of others as a partition gets in minutes."""
    records = [(0, "a" * 64, (1 << 60) + number * 1_000_000) for number in range(MAX_RECORDS + 1)]
    large, small = refused(*records)
    assert len(large.runs) == MAX_RECORDS
    assert len(encode(large)) < MAX_DATA_BYTES
    assert len(small.runs) == 1
    event = audit_event(large, large.source_timestamp_ms)
    assert open_event(encode(event)) == event


@pytest.mark.parametrize(
    "runs",
    [
        (),
        (Run(skipped=0, length=0),),
        (Run(skipped=1, length=1),),
        (Run(skipped=0, length=1), Run(skipped=0, length=1)),
        (Run(skipped=0, length=1), Run(skipped=-3, length=1)),
        (Run(skipped=0, length=-1),),
        (Run(skipped=0, length=MAX_RECORDS), Run(skipped=1, length=1)),
        (Run(skipped=0, length=(1 << 31) - 1),),
        (Run(skipped=0, length=1), Run(skipped=(1 << 63) - 1, length=1)),
    ],
)
def test_what_no_gate_writes_is_refused(runs: tuple[Run, ...]) -> None:
    (each,) = refused((0, "", 5))
    with pytest.raises(Malformed):
        offsets_of(replace(each, runs=runs))
