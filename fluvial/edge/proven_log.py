"""What the audit log has proven to a participant: its own verdicts and receipts, and the models of tasks.

Topics `verdicts` and `receipts` are signed by nobody, and a model's manifest by the aggregator alone. A leaf under a
signed checkpoint is more: everybody sees the same one, and it cannot be taken back. The participant follows the log
from where it was last (`fluvial.transparency.signed_leaves`), so a round costs the leaves since the one before. At the
very first it begins at a checkpoint (`log_start`), and reads from further back, or from the first leaf, where what it
asks for lies before.
"""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict, deque
from hashlib import sha256
from pathlib import Path
from typing import Any

from fluvial.edge.errors import NotProvenYet
from fluvial.edge.log_start import log_start
from fluvial.identity.federation import Federation
from fluvial.kafka import Reader, Transport, TransportUnavailable
from fluvial.transparency.event import event_id, read_event
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven, SignedLeaves, TooManyUnsigned
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.files import write_private
from fluvial.wire.records import (
    OverRate,
    PublishedModel,
    Receipt,
    Round,
    RoundEvent,
    RoundTransition,
    SequencedEvent,
    Verdict,
)

FILE = "log.proven"
_PAUSE_SECONDS = 0.05
_CLOCKS_APART_MS = 3_600_000
_ANSWERS = 4096
"""Of the participant's own leaves that are remembered; what is older was answered long ago."""
_VERSIONS = 16
"""Of a task that are remembered: a round begins on the newest, or was opened a moment before it."""
_STUCK_SECONDS = 10.0
"""What is signed and does not follow from where this began for so long, is read from the first leaf on."""


class ProvenLog:
    """path: file that keeps it between runs. since_ms: broker time of the first record whose answer may be asked about;
    counts where nothing is kept. Its methods raise VerificationError for a log that contradicts itself,
    TransportUnavailable, OSError."""

    def __init__(
        self, transport: Transport, federation: Federation, participant: str, path: Path, since_ms: int = 0
    ) -> None:
        self._transport, self._topics, self._participant, self._path = transport, federation.topics, participant, path
        self._log_key = NoteKey.parse(federation.log_key)
        self._of = federation.log_key
        kept = _kept(path, self._of)
        self._leaves = SignedLeaves(self._log_key, Proven.load(kept["log"]) if kept else None)
        self._models: dict[str, OrderedDict[int, bytes]] = {}
        for task, found in kept.get("models", {}).items():
            self._models[task] = OrderedDict((int(version), bytes.fromhex(digest)) for version, digest in found.items())
        self._opened_rounds = {task: (int(place[0]), int(place[1])) for task, place in kept.get("rounds", {}).items()}
        self._answers = deque((bytes.fromhex(each) for each in kept.get("answers", ())), maxlen=_ANSWERS)
        self._checkpoint = int(kept.get("checkpoint", 0))
        self._from_ms: int | None = kept.get("from_ms")
        self._since_ms = since_ms
        self._readers: tuple[Reader, Reader] | None = None
        self._polled = -math.inf
        self._moved = math.inf
        self._searched = (0, 0)

    @property
    def size(self) -> int:
        """Leaves that are proven."""
        return self._leaves.proven.end.size

    @property
    def is_signed(self) -> bool:
        """Whether a checkpoint was met."""
        return self._leaves.signed_size > 0

    def reach(self, time_ms: int) -> None:
        """Have it read from this broker time on, if it began later; 0: from the first leaf on."""
        from_ms = max(0, time_ms - _CLOCKS_APART_MS)
        if self._from_ms is None or self._from_ms > from_ms:
            self._begin(from_ms)

    def _begin(self, from_ms: int) -> None:
        self.close()
        place, self._checkpoint = log_start(self._transport, self._topics, self._log_key, from_ms)
        self._leaves, self._from_ms, self._searched = SignedLeaves(self._log_key, place), from_ms, (0, 0)

    def poll(self, timeout: float) -> None:
        """Take in what has come, after at most `timeout` seconds."""
        checkpoints, leaves = self._opened()
        self._polled = time.monotonic()
        try:
            self._take_in(checkpoints, leaves, timeout)
        except TooManyUnsigned as error:
            self._skip_to_the_newest(error)

    def _skip_to_the_newest(self, error: TooManyUnsigned) -> None:
        """Who may write into the topic `audit` may write more than is kept. Then what lies before the newest checkpoint
        is read no more, and a round that began before has no proof. Raises NotProvenYet where that is no later place.
        """
        proven, checkpoint = self._leaves.proven, self._checkpoint
        self._begin(int(1000 * time.time()) + _CLOCKS_APART_MS)
        if self._leaves.proven.offset <= proven.offset:
            self._leaves, self._checkpoint = SignedLeaves(self._log_key, proven), checkpoint
            raise NotProvenYet(f"{error}; it is tried again") from error
        self._from_ms = 0  # it goes back no further

    def _take_in(self, checkpoints: Reader, leaves: Reader, timeout: float) -> None:
        before, newest = self.size, self._checkpoint
        for message in checkpoints.poll(timeout / 2):
            newest = message.offset
            self._tell(self._leaves.take_checkpoint(message.value or b""))
        for message in leaves.poll(timeout / 2):
            self._tell(self._leaves.take_record(message.offset, message.value or b""))
        there = self._leaves.num_unsigned, self._leaves.signed_size
        if self.size < self._leaves.signed_size and leaves.caught_up() and there != self._searched:
            self._searched = there  # to search the same again would find the same
            self._tell(self._leaves.search())
        if self.size == self._leaves.signed_size:
            self._checkpoint = newest  # what came before says nothing that is not proven
        if self.size > before:
            self._save()
        if self.size > before or self.size == self._leaves.signed_size:
            self._moved = time.monotonic()
        elif time.monotonic() - self._moved > _STUCK_SECONDS and leaves.caught_up():
            # Anybody may write beside a checkpoint where the next leaf lies, which nobody signs.
            self._moved = math.inf
            self.reach(0)

    def has(self, record: Verdict | OverRate | Receipt) -> bool:
        """As `holds`; looks first what has come, unless it has just done so: anybody may send answers to ask about.
        False while the broker is away."""
        if not self.holds(record) and time.monotonic() - self._polled >= _PAUSE_SECONDS:
            try:
                self.poll(0.0)
            except TransportUnavailable:
                return False
        return self.holds(record)

    def holds(self, record: Verdict | OverRate | Receipt) -> bool:
        """Whether a leaf has this answer to the participant, to the byte."""
        return sha256(framing.encode(record)).digest() in self._answers

    def model_digest(self, task: str, version: int) -> bytes | None:
        """The digest of this version, 32 bytes; None where no proven leaf tells of it, or of many newer ones."""
        versions = self._models.get(task)
        return None if versions is None else versions.get(version)

    def has_opened(self, round_: Round) -> bool:
        """Whether a proven leaf tells that this attempt was opened, or a later one."""
        return self._opened_rounds.get(round_.task, (0, 0)) >= (round_.round, round_.attempt)

    def close(self) -> None:
        """Closes the readers."""
        for reader in self._readers or ():
            reader.close()
        self._readers = None

    def _opened(self) -> tuple[Reader, Reader]:
        if self._from_ms is None:
            self.reach(self._since_ms)
        if self._readers is None:
            checkpoints = self._transport.read(self._topics.checkpoints, {0: self._checkpoint})
            with_leaves = self._transport.read(self._topics.audit, {0: self._leaves.proven.offset})
            self._readers = checkpoints, with_leaves
            self._moved = time.monotonic()
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
                    versions = self._models.setdefault(task, OrderedDict())
                    versions[version] = digest
                    versions.move_to_end(version)
                    while len(versions) > _VERSIONS:
                        versions.popitem(last=False)
                case RoundEvent(transition=RoundTransition.OPENED):
                    known = self._opened_rounds.get(record.task, (0, 0))
                    self._opened_rounds[record.task] = max(known, (record.round, record.attempt))
                case Verdict() | OverRate() | Receipt() if record.participant in (self._participant, ""):
                    self._answers.append(sha256(event.data).digest())
                case _:
                    pass

    def _save(self) -> None:
        models = self._models.items()
        content = {
            "of": self._of,
            "log": self._leaves.proven.dump(),
            "from_ms": self._from_ms,
            "checkpoint": self._checkpoint,
            "models": {task: {str(version): each.hex() for version, each in found.items()} for task, found in models},
            "rounds": {task: list(place) for task, place in self._opened_rounds.items()},
            "answers": [each.hex() for each in self._answers],
        }
        write_private(self._path, json.dumps(content).encode())


def _kept(path: Path, log_key: str) -> dict[str, Any]:
    """What was kept; nothing where it is of a federation that was here before, or cannot be read: it is found anew."""
    try:
        kept = json.loads(path.read_text())
        Proven.load(kept["log"])
        return dict(kept) if kept["of"] == log_key else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}
