"""A federation's log in memory, whose models were computed by a slow, literal twin in fractions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256

import numpy as np

from fluvial import encoding
from fluvial.encoding import TensorDecoding
from fluvial.encoding.chunks import split
from fluvial.encoding.span import spans
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

    def __init__(self, chunk_elements: int = CHUNK_ELEMENTS) -> None:
        self.chunk_elements = chunk_elements
        self.published: dict[int, ModelManifest] = {}
        self.topics: dict[str, list[bytes | None]] = {"updates": [], "update-blobs": [], "model-blobs": []}

    def append(self, topic: str, value: bytes) -> int:
        self.topics[topic].append(value)
        return len(self.topics[topic]) - 1

    scope = ""

    def manifests(self, task: str) -> Mapping[int, ModelManifest]:
        return {version: each for version, each in self.published.items() if each.task == task}

    def public_keys(self, participant: str) -> Iterable[bytes]:
        return [bytes(32), KEYS[participant].public_key]

    def envelopes(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch("updates", positions)

    def each_update_chunk(
        self, positions: Collection[tuple[int, int]], take: Callable[[tuple[int, int], bytes], None]
    ) -> None:
        for position in positions:
            take(position, self._fetch("update-blobs", [position])[0])

    def model_chunks(self, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._fetch("model-blobs", positions)

    def _fetch(self, topic: str, positions: Sequence[tuple[int, int]]) -> list[bytes]:
        values = [self.topics[topic][offset] for _, offset in positions]
        if any(value is None for value in values):
            raise ChunkUnavailable(topic)
        return [value for value in values if value is not None]

    def upload(self, topic: str, chunks: Iterable[bytes]) -> tuple[ChunkReference, ...]:
        return tuple(
            ChunkReference(
                partition=0, offset=self.append(topic, chunk), length=len(chunk), sha256=sha256(chunk).digest()
            )
            for chunk in chunks
        )


def manifest_of(log: MemoryLog, model: np.ndarray, version: int, **fields: object) -> ModelManifest:
    raw = model.astype("<f4").tobytes()
    chunks = log.upload("model-blobs", map(bytes, split(raw, 4 * log.chunk_elements)))
    defaults: dict[str, object] = {
        "task": "t",
        "version": version,
        "parent_version": version - 1,
        "parent_digest": log.published[version - 1].model_digest if version else b"",
        "round": version,
        "attempt": 1,
        "rule": MEAN,
        "server_optimizer": "",
        "staleness": "",
        "optimizer_chunks": (),
        "partial": False,
        "fraction_bits": FRACTION_BITS,
        "total_weight": 0,
        "layout": LAYOUT,
        "num_elements": NUM_ELEMENTS,
        "chunk_elements": log.chunk_elements,
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
        codec = encoding.encoder(kind if kind in encoding.ENCODINGS else "float32")
        encoded = codec.encode(delta, LAYOUT, log.chunk_elements)
        chunks = [bytes(chunk) for chunk in encoded.chunks]
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
            scales=encoded.scales,
            inline=chunks[0] if kind == "inline" else None,
            chunks=() if kind == "inline" else log.upload("update-blobs", chunks),
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
            effective_weight=weight if participant in selected else 0,
            round=version,
        )
        updates.append((contribution, fixed_points(codec, chunks, encoded.scales)))
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


def fixed_points(codec: TensorDecoding, chunks: Sequence[bytes], scales: Sequence[float]) -> list[int]:
    """Each element in units of 2**-FRACTION_BITS: rounded; of int8, the code times the rounded scale."""
    if codec.name == "int8":
        units = [round(Fraction(scale) * 2**FRACTION_BITS) for scale in scales]
        return [int(code) * units[0 if i < 15 else 1] for i, code in enumerate(np.frombuffer(b"".join(chunks), "i1"))]
    size = NUM_ELEMENTS if len(chunks) == 1 else CHUNK_ELEMENTS
    decoded = [codec.decode(raw, span, scales) for raw, span in zip(chunks, spans(LAYOUT, size), strict=True)]
    return [round(Fraction(float(x)) * 2**FRACTION_BITS) for x in np.concatenate(decoded)]


def federation(kind: str = "chunks", versions: int = 2, rule: str = MEAN) -> MemoryLog:
    """Version 0, and further ones of five participants; under multi-Krum one of them lies far off and is left out."""
    generator = np.random.default_rng(5)
    log = MemoryLog(NUM_ELEMENTS if kind == "inline" else CHUNK_ELEMENTS)
    model = generator.normal(size=NUM_ELEMENTS).astype(np.float32)
    log.published[0] = manifest_of(log, model, 0, parent_version=-1)
    for _ in range(versions):
        deltas = {name: generator.normal(size=NUM_ELEMENTS).astype(np.float32) / 8 for name in KEYS}
        if rule == KRUM:
            deltas["cyd"] = deltas["cyd"] + np.float32(50)
        selected = set(KEYS) - ({"cyd"} if rule == KRUM else set())
        model = add_version(log, model, deltas, selected=selected, rule=rule, kind=kind)
    return log
