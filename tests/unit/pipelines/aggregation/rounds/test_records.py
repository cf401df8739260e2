"""Whether the records that terms make of a model can be written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.envelope import open_envelope, seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import MAX_RECORD_BYTES
from fluvial.wire.layout import num_chunks
from fluvial.wire.records import ChunkReference, Contribution, TensorLayout
from pipelines.aggregation.rounds import records
from tests.unit.pipelines.aggregation.rounds.test_terms import task_file

ROOM = 12_000
"""Less than the updates that a manifest of a small model has room for, whatever their names."""


def layout(elements: int) -> tuple[TensorLayout, ...]:
    return (TensorLayout(name="weights", shape=(elements,)),)


def test_the_largest_manifest_of_a_task_that_is_taken_is_a_record() -> None:
    largest = task_file(target=ROOM)
    records.check(largest, layout(10))
    contribution = Contribution(
        participant="p" * 128,
        update_id="u" * 128,
        source_partition=1 << 30,
        source_offset=1 << 62,
        record_sha256=bytes(32),
        weight=1 << 52,
        selected=True,
        effective_weight=1 << 62,
        round=1 << 30,
    )
    chunk = ChunkReference(partition=1 << 30, offset=1 << 62, length=1 << 20, sha256=bytes(32))
    manifest = records.manifest(
        largest,
        records.Model(layout=layout(10), version=1, digest=bytes(32), chunks=(chunk,)),
        number=2,
        attempt=1,
        contributions=(contribution,) * ROOM,
        total_weight=1 << 52,
        chunks=(chunk,),
        optimizer_chunks=(),
        now_ms=1,
    )
    sealed = seal(manifest, SigningKey.generate(), "aggregator")
    assert ROOM * 300 < len(sealed) < MAX_RECORD_BYTES
    open_envelope(sealed)


def test_more_updates_than_a_manifest_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match=r"target is 100000, but the manifest .* has room for 1[0-9]{4} "):
        records.check(task_file(target=100_000), layout(10))
    with pytest.raises(ValueError, match=r"room for [0-9]{4} updates beside the model's 40000 chunks"):
        records.check(task_file(target=ROOM, chunk_elements=1), layout(40_000))


@pytest.mark.parametrize("optimizer", [None, {"name": "adam", "learning_rate": 0.1}])
def test_a_model_of_more_chunks_than_a_round_has_room_for_is_refused(optimizer: Any) -> None:
    cut_small = task_file(chunk_elements=1, server_optimizer=optimizer)
    records.check(cut_small, layout(20_000))
    with pytest.raises(ValueError, match=r"90,000 elements .* chunk_elements is 1: .* too many for a round"):
        records.check(cut_small, layout(90_000))


def test_chunks_of_another_model_are_refused() -> None:
    small = task_file(chunk_elements=4)
    chunks = tuple(
        ChunkReference(partition=0, offset=at, length=length, sha256=bytes(32)) for at, length in ((0, 16), (1, 8))
    )
    model = records.Model(layout=layout(6), version=0, digest=records.model_digest([bytes(32)] * 2), chunks=chunks)
    assert num_chunks(6, 4) == 2
    records.check_model(small, model)
    for wrong in (
        replace(model, chunks=chunks[:1]),
        replace(model, chunks=chunks[::-1]),
        replace(model, chunks=(replace(chunks[0], offset=-1), chunks[1])),
        replace(model, version=-1),
        replace(model, digest=bytes(32)),
    ):
        with pytest.raises(ValueError, match="base model"):
            records.check_model(small, wrong)
