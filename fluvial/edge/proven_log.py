"""What the audit log has proven to a participant: its own verdicts and receipts, and the models of tasks.

Topics `verdicts` and `receipts` are signed by nobody, and a model's manifest by the aggregator alone. A leaf under a
signed checkpoint is more: everybody sees the same one, and it cannot be taken back. The participant follows the log
from where it was last (`fluvial.transparency.signed_leaves`), so a round costs the leaves since the one before; at the
very first it reads the whole log once.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import Any

from fluvial.identity.federation import Federation
from fluvial.kafka import Reader, Start, Transport
from fluvial.transparency.event import event_id, read_event
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven, SignedLeaves
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.files import make_private_folder, replace_file
from fluvial.wire.records import OverRate, PublishedModel, Receipt, SequencedEvent, Verdict

FILE = "log.proven"
_PAUSE_SECONDS = 0.05
_CLOCKS_APART_MS = 3_600_000
_ANSWERS = 4096
"""Of the participant's own leaves that are remembered; what is older was answered long ago."""


class ProvenLog:
    """path: file that keeps it between runs. Its methods raise VerificationError for a log that contradicts itself,
    TransportUnavailable, OSError; the constructor ValueError for a file that holds something else."""

    def __init__(self, transport: Transport, federation: Federation, participant: str, path: Path) -> None:
        self._transport, self._topics, self._participant, self._path = transport, federation.topics, participant, path
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self._leaves = SignedLeaves(NoteKey.parse(federation.log_key), Proven.load(kept["log"]) if kept else None)
        models = kept.get("models", {}).items()
        self._models = {task: (int(version), bytes.fromhex(digest)) for task, (version, digest) in models}
        self._answers = deque((bytes.fromhex(each) for each in kept.get("answers", ())), maxlen=_ANSWERS)
        # Checkpoints of before say nothing that is not proven; the clocks of two machines may differ.
        since_ms = int(1000 * path.stat().st_mtime) - _CLOCKS_APART_MS if kept else 0
        self._since: Start | int = max(0, since_ms) if kept else Start.BEGINNING
        self._readers: tuple[Reader, Reader] | None = None
        self._polled = -math.inf

    @property
    def size(self) -> int:
        """Leaves that are proven."""
        return self._leaves.proven.end.size

    def poll(self, timeout: float) -> None:
        """Take in what has come, after at most `timeout` seconds."""
        checkpoints, leaves = self._opened()
        self._polled = time.monotonic()
        before = self.size
        for message in checkpoints.poll(timeout / 2):
            self._tell(self._leaves.take_checkpoint(message.value or b""))
        for message in leaves.poll(timeout / 2):
            self._tell(self._leaves.take_record(message.offset, message.value or b""))
        if self.size < self._leaves.signed_size and leaves.caught_up():
            self._tell(self._leaves.search())
        if self.size > before:
            self._save()

    def has(self, record: Verdict | OverRate | Receipt) -> bool:
        """As `holds`; looks first what has come, unless it has just done so: anybody may send answers to ask about."""
        if not self.holds(record) and time.monotonic() - self._polled >= _PAUSE_SECONDS:
            self.poll(0.0)
        return self.holds(record)

    def holds(self, record: Verdict | OverRate | Receipt) -> bool:
        """Whether a leaf has this answer to the participant, to the byte."""
        return sha256(framing.encode(record)).digest() in self._answers

    def model_digest(self, task: str, version: int) -> bytes | None:
        """The digest of this version, 32 bytes; None where no proven leaf tells of it, or the newest is another one."""
        known, digest = self._models.get(task, (-1, b""))
        return digest if known == version else None

    def close(self) -> None:
        """Closes the readers."""
        for reader in self._readers or ():
            reader.close()
        self._readers = None

    def _opened(self) -> tuple[Reader, Reader]:
        if self._readers is None:
            checkpoints = self._transport.read(self._topics.checkpoints, self._since)
            with_leaves = self._transport.read(self._topics.audit, {0: self._leaves.proven.offset})
            self._readers = checkpoints, with_leaves
        return self._readers

    def _tell(self, leaves: list[bytes]) -> None:
        for leaf in leaves:
            event = framing.decode(leaf, SequencedEvent).event
            try:
                record = read_event(event)
            except (DecodeError, ValueError):
                continue  # of a newer release
            if event.id != event_id(record):
                continue
            match record:
                case PublishedModel(task=task, version=version, model_digest=digest):
                    self._models[task] = version, digest
                case Verdict() | OverRate() | Receipt() if record.participant in (self._participant, ""):
                    self._answers.append(sha256(event.data).digest())
                case _:
                    pass

    def _save(self) -> None:
        make_private_folder(self._path.parent)
        content = {
            "log": self._leaves.proven.dump(),
            "models": {task: [version, digest.hex()] for task, (version, digest) in self._models.items()},
            "answers": [each.hex() for each in self._answers],
        }
        replace_file(self._path, json.dumps(content))
