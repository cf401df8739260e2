"""Replay over a log in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fluvial.encoding import ENCODINGS
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import model_digest
from pipelines.replay import ReplayResult, replay
from tests.unit.pipelines.replay.memory_log import KRUM, MEAN, NUM_ELEMENTS, MemoryLog, federation


def altered(log: MemoryLog, version: int, **fields: object) -> MemoryLog:
    log.published[version] = replace(log.published[version], **fields)  # type: ignore[arg-type]  # fields by name
    return log


def run(log: MemoryLog, version: int = 2, memory_bytes: int = 1 << 20) -> ReplayResult:
    return replay(log, "t", version, memory_bytes=memory_bytes)


@pytest.mark.parametrize("kind", ["chunks", "inline", *(name for name in ENCODINGS if name != "float32")])
@pytest.mark.parametrize("rule", [MEAN, KRUM])
@pytest.mark.parametrize("memory_bytes", [1, 200, 1 << 20])
def test_the_same_bytes_come_out(kind: str, rule: str, memory_bytes: int) -> None:
    result = run(federation(kind, rule=rule), memory_bytes=memory_bytes)
    assert result.differs == ()
    assert result.bit_exact
    assert (result.contributions, result.versions) == (5, (2,))


def test_update_bytes_are_counted_for_each_pass() -> None:
    once = 5 * NUM_ELEMENTS * 4
    assert run(federation()).update_bytes == once
    # Multi-Krum reads all updates to select, and the four selected ones again.
    assert run(federation(rule=KRUM)).update_bytes == once + 4 * NUM_ELEMENTS * 4


def test_version_0_is_as_it_was_signed() -> None:
    assert run(federation(), version=0).bit_exact


def test_a_parent_whose_slot_was_used_again_is_computed_from_its_own_parent() -> None:
    log = federation(versions=3)
    for version in (1, 2):
        for chunk in log.published[version].chunks[1:]:
            log.topics["model-blobs"][chunk.offset] = None
    result = run(log, version=3)
    assert result.bit_exact
    assert result.versions == (1, 2, 3)


def test_a_parent_that_is_stored_wrongly_is_computed_instead() -> None:
    log = federation()
    log.topics["model-blobs"][log.published[1].chunks[2].offset] = b"other bytes"
    assert run(log).bit_exact


def test_a_lost_initial_model_is_made_again_from_its_seed() -> None:
    log = federation(versions=1)
    stored = b"".join(log.model_chunks([(0, chunk.offset) for chunk in log.published[0].chunks]))
    for chunk in log.published[0].chunks:
        log.topics["model-blobs"][chunk.offset] = None
    with pytest.raises(ChunkUnavailable, match="version 0"):
        run(log, version=1)
    result = replay(log, "t", 1, initial=lambda manifest: np.frombuffer(stored, "<f4"))
    assert result.bit_exact
    wrong = replay(log, "t", 1, initial=lambda manifest: np.zeros(NUM_ELEMENTS, np.float32))
    assert any("version 0: chunk 0 does not have the manifest's digest" in each for each in wrong.differs)


def test_a_chunk_of_the_model_that_was_altered_in_the_log_is_named() -> None:
    log = federation()
    offset = log.published[2].chunks[1].offset
    log.topics["model-blobs"][offset] = bytes(24)
    assert run(log).differs == ("version 2: chunk 1 is not what is stored",)


def test_a_model_that_its_updates_do_not_make_is_found() -> None:
    log = federation()
    forged = replace(log.published[2].chunks[0], sha256=bytes(32))
    chunks = (forged, *log.published[2].chunks[1:])
    altered(log, 2, chunks=chunks, model_digest=model_digest(chunk.sha256 for chunk in chunks))
    assert run(log).differs == ("version 2: chunk 0 does not have the manifest's digest",)


def test_a_digest_that_is_not_that_of_the_chunks_is_found() -> None:
    log = altered(federation(), 2, model_digest=bytes(32))
    assert run(log).differs == ("version 2: its digest is not that of its chunks",)


def test_a_selection_that_the_rule_does_not_make_is_found() -> None:
    log = federation(rule=KRUM)
    contributions = tuple(replace(each, selected=True) for each in log.published[2].contributions)
    differs = run(altered(log, 2, contributions=contributions)).differs
    assert differs == ("version 2: cyd was selected; the rule gives the weight 0",)


def test_a_total_weight_that_does_not_add_up_is_found() -> None:
    differs = run(altered(federation(), 2, total_weight=16)).differs
    assert differs == ("version 2: total weight 16; the rule gives 15",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"record_sha256": bytes(32)}, "other bytes"),
        ({"weight": 9}, "another weight"),
        ({"participant": "bob"}, "not signed by a key of this participant"),
    ],
)
def test_a_contribution_that_does_not_hold_leaves_nothing_to_compute(change: dict[str, object], message: str) -> None:
    log = federation()
    first, *others = log.published[2].contributions
    if first.participant == "bob":
        change = {**change, **({"participant": "ann"} if "participant" in change else {})}
    contributions = (replace(first, **change), *others)  # type: ignore[arg-type]  # fields by name
    result = run(altered(log, 2, contributions=contributions))
    assert not result.bit_exact
    assert message in result.differs[0]
    assert "not computed again" in result.differs[-1]


def test_contributions_out_of_order_are_found() -> None:
    log = federation()
    contributions = tuple(reversed(log.published[2].contributions))
    assert "not ordered" in run(altered(log, 2, contributions=contributions)).differs[0]


def test_an_update_of_another_attempt_does_not_count() -> None:
    assert "another round" in run(altered(federation(), 2, attempt=2)).differs[0]


def test_a_parent_that_was_not_published_is_found() -> None:
    assert "not version 1 as published" in run(altered(federation(), 2, parent_digest=bytes(32))).differs[0]


@pytest.mark.parametrize("value", [None, bytes(24)])
def test_an_update_chunk_that_is_gone_shows_nothing_either_way(value: bytes | None) -> None:
    log = federation()
    log.topics["update-blobs"][-1] = value
    with pytest.raises(ChunkUnavailable):
        run(log)


def test_a_version_that_was_never_published_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="versions 0 to 2 are published"):
        run(federation(), version=9)
    with pytest.raises(ValueError, match="nothing is published"):
        replay(federation(), "other", 1)


def test_progress_ends_with_all_that_was_asked_for() -> None:
    seen: list[tuple[int, int]] = []
    replay(federation(), "t", 2, on_progress=lambda done, total: seen.append((done, total)), memory_bytes=1)
    assert seen[-1] == (5 * NUM_ELEMENTS * 4, 5 * NUM_ELEMENTS * 4)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
