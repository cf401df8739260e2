"""The validation operator over dict-backed state, with a log of chunks in memory and a clock that tests move."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

import numpy as np

from fluvial.admission.over_rate import verdicts_of
from fluvial.identity.brokers import Brokers
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import RegistryRecord, registry_key
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.framing import decode, decode_either
from fluvial.wire.records import AcceptedUpdate, AuditEvent, ChunkReference, ModelUpdate, OverRate, Round, Verdict
from fluvial.wire.task_file import TaskFile
from governance.admission.uploads import is_own_chunk
from pipelines.config import Settings
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.checked_chunks import CheckedChunks
from pipelines.flink.chunk_cache import Chunk
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.messages import pack, unpack
from pipelines.flink.offsets import Bounds
from pipelines.validation import process
from pipelines.validation.candidate_scores import CandidateScores
from pipelines.validation.catching_up import CatchingUp
from pipelines.validation.content_checks import ContentChecks
from pipelines.validation.known import CommittedRecords, Known, known
from pipelines.validation.operators import judging, share, validate
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.governance.admission import builders
from tests.unit.pipelines.flink_state import FlinkState

OPERATOR, REGISTRAR, AGGREGATOR = (SigningKey.from_seed(bytes([40 + number]) * 32) for number in range(3))
FOR_EVER_MS = 1 << 62
"""All that the log held until then is known."""

LANE = "lane-0-0"
PATIENCE_S = 30.0

SETTINGS = Settings(
    brokers=Brokers(bootstrap_servers="none:1"),
    partitions=builders.PARTITIONS,
    operator_key=OPERATOR.public_key.hex(),
    registrar_key=REGISTRAR.public_key.hex(),
    aggregator_key=AGGREGATOR.public_key.hex(),
    log_origin="example.org/log",
    keys_dir=Path("none"),
    checkpoint_dir=Path("none"),
    repository_root=Path("none"),
    max_record_bytes=4096,
    named_rate=(4096, 4096),
    unnamed_rate=(4096, 4096),
)


class ChunkLog:
    """Topic update-blobs: bytes by partition and offset, and which of them were read."""

    def __init__(self) -> None:
        self.chunks: dict[tuple[int, int], bytes] = {}
        self.keys: dict[tuple[int, int], bytes] = {}
        self.reads: list[tuple[int, int]] = []

    def write(self, references: tuple[ChunkReference, ...], chunks: list[bytes], key: bytes = b"alice") -> None:
        for reference, chunk in zip(references, chunks, strict=True):
            self.chunks[reference.partition, reference.offset] = chunk
            self.keys[reference.partition, reference.offset] = key

    def record(self, reference: ChunkReference) -> Chunk:
        place = reference.partition, reference.offset
        self.reads.append(place)
        if place not in self.chunks:
            raise ChunkUnavailable(f"{place}: no such record")
        return Chunk(self.keys.get(place), self.chunks[place])

    def chunk(self, reference: ChunkReference) -> bytes:
        return self.record(reference).value


class ValidationStage:
    """Validate with one lane. Use as a context; `restart` opens another operator on the same state. task_file, scorer:
    of a task whose candidates are scored."""

    def __init__(self, task_file: TaskFile | None = None, scorer: Any = None) -> None:
        self.task_file, self.scorer = task_file, scorer
        self.settings = SETTINGS
        self.flink = FlinkState()
        self.log = ChunkLog()
        self.now_ms = builders.NOW_MS
        self.verdicts: list[Verdict] = []
        self.over_rates: list[OverRate] = []
        self.accepted: list[AcceptedUpdate] = []
        self.quarantined: list[bytes] = []
        self.events: list[AuditEvent] = []
        self.topics: dict[str, list[SourceRecord]] = defaultdict(list)
        self.first_offset = 0
        self._offsets: dict[int, int] = defaultdict(int)
        self._patches = ExitStack()

    def __enter__(self) -> ValidationStage:
        enter = self._patches.enter_context
        for module in (judging, validate):
            enter(patch.object(module, "now_ms", lambda: self.now_ms))
        enter(patch.object(process, "acquire", lambda settings, attempt: self.process))
        enter(patch.object(process, "release", lambda settings, attempt: None))
        self.restart()
        for record in (builders.a_task(), builders.TERMS):
            self.register(record, OPERATOR)
        self.register(builders.a_participant(), REGISTRAR)
        self.announce(builders.a_round())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._patches.close()

    def restart(self) -> None:
        """Another process: what was in memory is gone, but for what is read from the topics."""
        self.known = self.read_known()
        checks = ContentChecks(self.log.record, self._is_own, clock=lambda: self.now_ms / 1000)
        scores = CandidateScores(
            lambda task: self.task_file, self._base_model, self.log.chunk, lambda task_file: self.scorer
        )
        catching_up = CatchingUp(lambda: None, FOR_EVER_MS)
        self.process = process.Process(self.known, checks, scores, CheckedChunks(), catching_up)
        self.operator = validate.Validate(self.settings, hands_over=True)
        self.operator.open(self.flink)
        self.share = share.Share(self.settings, "updates")
        self.share.open(self.flink)

    def start_anew(self) -> None:
        """Another submission: it has no state, reads all updates again, and knows what the topics hold."""
        self.flink = FlinkState()
        self.restart()
        self.deliver(self.topics["updates"])

    def _base_model(self, round_: Round) -> Any:
        return np.zeros(round_.num_elements, np.float32)

    def _is_own(self, update: ModelUpdate, key: bytes | None) -> bool:
        return is_own_chunk(update, key, lambda name: self.known.trusted.participant(name) is not None)

    def read_known(self) -> Known:
        bounds = {
            SETTINGS.topics.updates: {
                partition: Bounds(self.first_offset, end, end) for partition, end in self._offsets.items()
            }
        }
        held = {name: self.topics[name] for name in ("registry", "rounds", "verdicts", "receipts")}
        records = CommittedRecords(**held, enrolments=[], bounds=bounds)
        return known(records, TrustedRecords.of(SETTINGS), SETTINGS.topics)

    def register(self, record: RegistryRecord, key: SigningKey) -> None:
        self._broadcast("registry", registry_key(record).encode(), seal(record, key, "test"))

    def announce(self, round_: Round) -> None:
        self._broadcast("rounds", round_.task.encode(), seal(round_, AGGREGATOR, "aggregator"))

    def send(self, raws: list[bytes], key: bytes = b"alice", partition: int = 3) -> list[int]:
        """Hand in records in one bundle; their offsets."""
        offsets = [self._offsets[partition] + number for number in range(len(raws))]
        self._offsets[partition] += len(raws)
        records = [
            SourceRecord(partition, offset, self.now_ms, key, raw) for offset, raw in zip(offsets, raws, strict=True)
        ]
        self.topics["updates"] += records
        self.deliver(records)
        return offsets

    def deliver(self, records: list[SourceRecord]) -> None:
        for bundle in self.share.flat_map(pack_bundle(Kind.SOURCE, [source_frame(record) for record in records])):
            if parse_bundle(bundle)[0] is Kind.SOURCE:
                self._take(self.flink.call(self.operator, LANE, bundle))
            else:
                self._take([bundle])

    def checkpoint(self) -> None:
        """What comes before a barrier."""
        self._take(list(self.share.flat_map(pack_bundle(Kind.SOURCE, []))))

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self._take(self.flink.fire(self.operator, self.now_ms))

    def settle(self) -> None:
        """Let time pass until nothing waits."""
        deadline = time.monotonic() + PATIENCE_S
        while (at_ms := self.flink.next_timer()) is not None:
            assert time.monotonic() < deadline, f"records still wait at {self.now_ms}"
            self.pass_time(max(at_ms - self.now_ms, 0))
            time.sleep(0)

    def reasons(self) -> dict[tuple[int, int], list[str]]:
        """The reasons of all verdicts on each record."""
        found: dict[tuple[int, int], list[str]] = {}
        refused = (verdict for each in self.over_rates for verdict in verdicts_of(each))
        for verdict in (*self.verdicts, *refused):
            found.setdefault((verdict.source_partition, verdict.source_offset), []).append(verdict.reason.value)
        return found

    def commit(self, topic: str, value: bytes) -> None:
        """A record that a stage has written."""
        self.topics[topic].append(SourceRecord(0, len(self.topics[topic]), self.now_ms, b"", value))

    def _broadcast(self, topic: str, key: bytes, raw: bytes) -> None:
        record = SourceRecord(0, len(self.topics[topic]), self.now_ms, key, raw)
        self.topics[topic].append(record)
        frame = source_frame(record)
        self.flink.broadcast(self.operator, pack("", topic, [frame]))

    def _take(self, bundles: list[bytes]) -> None:
        for bundle in bundles:
            kind, items = parse_bundle(bundle)
            if kind is Kind.MESSAGES:
                for message in items:
                    self.accepted += [decode(part, AcceptedUpdate) for part in unpack(message)[2]]
                continue
            for topic, value in map(parse_sink, items):
                match topic:
                    case SETTINGS.topics.verdicts:
                        verdict = decode_either(value, Verdict, OverRate)
                        if isinstance(verdict, OverRate):
                            self.over_rates.append(verdict)
                        else:
                            self.verdicts.append(verdict)
                        self.commit("verdicts", value)
                    case SETTINGS.topics.events:
                        self.events.append(decode(value, AuditEvent))
                    case SETTINGS.topics.quarantine:
                        self.quarantined.append(value)


def parse_bundle(bundle: bytes) -> tuple[Kind, list[bytes]]:
    """Kind and items of a bundle that an operator gives."""
    items, at = [], 3
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 4], "big")
        items.append(bundle[at + 4 : at + 4 + length])
        at += 4 + length
    return Kind(bundle[2]), items


def parse_sink(frame: bytes) -> tuple[str, bytes]:
    """Topic and value of a sink frame."""

    def field(at: int) -> tuple[bytes, int]:
        length = int.from_bytes(frame[at : at + 4], "big", signed=True)
        end = at + 4 + max(length, 0)
        return frame[at + 4 : end], end

    end = 2 + int.from_bytes(frame[:2], "big")
    topic = frame[2:end].decode()
    _, at = field(end)
    num_headers, at = int.from_bytes(frame[at : at + 2], "big"), at + 2
    for _ in range(num_headers):
        at += 2 + int.from_bytes(frame[at : at + 2], "big")
        _, at = field(at)
    value, at = field(at)
    assert at == len(frame)
    return topic, value


def uploaded(stage: ValidationStage, first_offset: int = 100, **changes: Any) -> bytes:
    """An envelope of a good update, whose chunks are in the log."""
    chunks, _ = builders.chunks_of()
    references = builders.references(chunks, first_offset)
    stage.log.write(references, chunks)
    return builders.sealed(builders.an_update(chunks=references, **changes))
