"""Replay over a log in memory whose models were computed by a slow, literal twin in fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256

import numpy as np
import pytest

from deploy.replay import ReplayResult, replay
from fluvial import encoding
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.layout import layout_digest, model_digest
from fluvial.wire.records import ChunkReference, Contribution, ModelManifest, ModelUpdate, TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(3, 5)), TensorLayout(name="bias", shape=(4,)))
NUM_ELEMENTS, CHUNK_ELEMENTS, FRACTION_BITS = 19, 6, 30
MEAN, KRUM = '{"name": "weighted_mean"}', '{"name": "multi_krum", "num_byzantine": 1}'
KEYS = {name: SigningKey.from_seed(sha256(name.encode()).digest()) for name in ("ann", "bob", "cyd", "dan", "eve")}


class MemoryLog:
    """A log in dictionaries; offsets count up, and a reader can be made to miss some."""

    def __init__(self) -> None:
        self.published: dict[int, ModelManifest] = {}
        self.topics: dict[str, list[bytes | None]] = {"updates": [], "update-blobs": [], "model-blobs": []}

    def append(self, topic: str, value: bytes) -> int:
        self.topics[topic].append(value)
        return len(self.topics[topic]) - 1

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        return {version: each for version, each in self.published.items() if each.task == task}

    def public_keys(self, participant: str) -> Iterable[bytes]:
        return [bytes(32), KEYS[participant].public_key]

    def envelopes(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch("updates", positions)

    def update_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch("update-blobs", positions)

    def model_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch("model-blobs", positions)

    def _fetch(self, topic: str, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        values = [self.topics[topic][offset] for _, offset in positions]
        if any(value is None for value in values):
            raise ChunkUnavailable(topic)
        return [value for value in values if value is not None]

    def upload(self, topic: str, data: bytes, bytes_per_element: int) -> tuple[ChunkReference, ...]:
        size = CHUNK_ELEMENTS * bytes_per_element
        return tuple(
            ChunkReference(
                partition=0,
                offset=self.append(topic, data[start : start + size]),
                length=len(data[start : start + size]),
                sha256=sha256(data[start : start + size]).digest(),
            )
            for start in range(0, len(data), size)
        )


def manifest_of(log: MemoryLog, model: np.ndarray, version: int, **fields: object) -> ModelManifest:
    chunks = log.upload("model-blobs", model.astype("<f4").tobytes(), 4)
    defaults: dict[str, object] = {
        "task": "t",
        "version": version,
        "parent_version": version - 1,
        "parent_digest": log.published[version - 1].model_digest if version else b"",
        "round": version,
        "attempt": 1,
        "rule": MEAN,
        "fraction_bits": FRACTION_BITS,
        "total_weight": 0,
        "layout": LAYOUT,
        "num_elements": NUM_ELEMENTS,
        "chunk_elements": CHUNK_ELEMENTS,
        "chunks": chunks,
        "model_digest": model_digest(chunk.sha256 for chunk in chunks),
        "contributions": (),
        "created_ms": 0,
    }
    return ModelManifest(**{**defaults, **fields})  # type: ignore[arg-type]  # a mapping of all the fields


def add_version(
    log: MemoryLog, base: np.ndarray, deltas: Mapping[str, np.ndarray], *, selected: set[str], rule: str, kind: str
) -> np.ndarray:
    """Publish the next version: updates of these deltas, weighing 1, 2, 3, ...; `selected` make the model."""
    version = len(log.published)
    updates = []
    for weight, (participant, delta) in enumerate(deltas.items(), start=1):
        codec = encoding.get("int8" if kind == "int8" else "float32")
        encoded, scales = codec.encode(delta, LAYOUT)
        update = ModelUpdate(
            task="t",
            round=version,
            attempt=1,
            participant=participant,
            update_id=f"{participant}-{version}",
            base_version=version - 1,
            base_digest=log.published[version - 1].model_digest,
            weight=weight,
            encoding=codec.name,
            layout_digest=layout_digest(LAYOUT),
            scales=scales,
            inline=encoded if kind == "inline" else None,
            chunks=() if kind == "inline" else log.upload("update-blobs", encoded, codec.bytes_per_element),
            created_ms=0,
        )
        raw = seal(update, KEYS[participant], participant)
        contribution = Contribution(
            participant=participant,
            update_id=update.update_id,
            source_partition=0,
            source_offset=log.append("updates", raw),
            record_sha256=sha256(raw).digest(),
            weight=weight,
            selected=participant in selected,
        )
        updates.append((contribution, fixed_points(delta, encoded, scales)))
    chosen = [(contribution.weight, fixed) for contribution, fixed in updates if contribution.selected]
    total_weight = sum(weight for weight, _ in chosen)
    model = np.array(
        [
            np.float32(
                float(sum(weight * fixed[i] for weight, fixed in chosen)) / (total_weight * 2.0**FRACTION_BITS)
                + float(base[i])
            )
            for i in range(NUM_ELEMENTS)
        ]
    )
    contributions = tuple(sorted((each for each, _ in updates), key=lambda each: each.record_sha256))
    log.published[version] = manifest_of(
        log, model, version, rule=rule, total_weight=total_weight, contributions=contributions
    )
    return model


def fixed_points(delta: np.ndarray, encoded: bytes, scales: Sequence[float]) -> list[int]:
    """Each element in units of 2**-FRACTION_BITS: rounded; of int8, the code times the rounded scale."""
    if not scales:
        return [round(Fraction(float(x)) * 2**FRACTION_BITS) for x in delta]
    units = [round(Fraction(scale) * 2**FRACTION_BITS) for scale in scales]
    return [int(code) * units[0 if i < 15 else 1] for i, code in enumerate(np.frombuffer(encoded, np.int8))]


def federation(kind: str = "chunks", versions: int = 2, rule: str = MEAN) -> MemoryLog:
    """Version 0, and further ones of five participants; under multi-Krum one of them lies far off and is left out."""
    generator = np.random.default_rng(5)
    log = MemoryLog()
    model = generator.normal(size=NUM_ELEMENTS).astype(np.float32)
    log.published[0] = manifest_of(log, model, 0, parent_version=-1)
    for _ in range(versions):
        deltas = {name: generator.normal(size=NUM_ELEMENTS).astype(np.float32) / 8 for name in KEYS}
        if rule == KRUM:
            deltas["cyd"] = deltas["cyd"] + np.float32(50)
        selected = set(KEYS) - ({"cyd"} if rule == KRUM else set())
        model = add_version(log, model, deltas, selected=selected, rule=rule, kind=kind)
    return log


def altered(log: MemoryLog, version: int, **fields: object) -> MemoryLog:
    log.published[version] = replace(log.published[version], **fields)  # type: ignore[arg-type]  # fields by name
    return log


def run(log: MemoryLog, version: int = 2, batch_bytes: int = 1 << 20) -> ReplayResult:
    return replay(log, "t", version, batch_bytes=batch_bytes)


@pytest.mark.parametrize("kind", ["chunks", "inline", "int8"])
@pytest.mark.parametrize("rule", [MEAN, KRUM])
@pytest.mark.parametrize("batch_bytes", [1, 200, 1 << 20])
def test_the_same_bytes_come_out(kind: str, rule: str, batch_bytes: int) -> None:
    result = run(federation(kind, rule=rule), batch_bytes=batch_bytes)
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
    replay(federation(), "t", 2, on_progress=lambda done, total: seen.append((done, total)), batch_bytes=1)
    assert seen[-1] == (5 * NUM_ELEMENTS * 4, 5 * NUM_ELEMENTS * 4)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
