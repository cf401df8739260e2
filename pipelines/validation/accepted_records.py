"""What was accepted from each participant, and what has failed: the memory behind the gate's step 6.

Keyed state of a lane: participant to its memory, as one short string. A round is forgotten by threshold: when the open
round is so far ahead that the freshness check refuses whatever is for it. So a memory holds no more rounds than a task
takes updates of, whichever of them the participant has skipped, and a task that is finished leaves nothing.

Crossing into Flink's state costs more than all else in a judgement, so what was used lately is mirrored in memory, read
once for each participant, and written once for each bundle.

    uint8 version, then each round: uint8 length of the task's name, name, int64 round, uint8 number of failures,
    uint8 number of attempts accepted, then each: int32 attempt, 32 bytes of SHA-256
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from fluvial.registry.rounds import is_over
from fluvial.wire.records import AcceptedUpdate, Round

REPEATED_ROUNDS = 8
"""Rounds behind those that still take updates for which a repeat is told as such, and not as stale."""

_MIRRORED = 20_000
_VERSION = b"\x02"
_ROUND = struct.Struct(">qBB")
_ATTEMPT = struct.Struct(">i32s")
_MOST_FAILURES = 255
_ATTEMPTS = 16
"""Attempts of a round that are remembered, the newest: a synchronous round takes updates of its last alone, and of an
asynchronous one it is enough to know one."""

FirstRemembered = Callable[[str], int]
"""The first round of a task that is remembered."""


def first_remembered(newest: Round | None) -> int:
    """The first round that is remembered of a task with this newest one. A synchronous task that has finished needs no
    memory: should it be taken up again, then with a later round."""
    if newest is None:
        return 0
    if is_over(newest) and not newest.max_staleness:
        return newest.round + 1
    return newest.round - newest.max_staleness - REPEATED_ROUNDS


class ByteMap(Protocol):
    """What is used of Flink's MapState."""

    def get(self, key: str) -> bytes | None: ...
    def put_all(self, dict_value: dict[str, bytes]) -> None: ...
    def remove(self, key: str) -> None: ...
    def items(self) -> Iterable[tuple[str, bytes]]: ...


class _Round:
    """What is remembered of one round. encoded: its bytes, until it changes: of a participant of many tasks one round
    changes at a time, and all are written."""

    __slots__ = ("attempts", "encoded", "num_failures")

    def __init__(self) -> None:
        self.num_failures = 0
        self.attempts: dict[int, bytes] = {}
        self.encoded: bytes | None = None

    def encode(self, task: str, round_: int) -> bytes:
        name = task.encode()
        head = b"%c%b" % (len(name), name) + _ROUND.pack(round_, self.num_failures, len(self.attempts))
        self.encoded = head + b"".join([_ATTEMPT.pack(*attempt) for attempt in self.attempts.items()])
        return self.encoded


class ParticipantMemory:
    """What one participant got accepted, and how often it failed.

    data: as `dump` gave it, None for a participant of whom nothing is known. Raises ValueError for another version.
    """

    def __init__(self, data: bytes | None = None) -> None:
        self._rounds: dict[tuple[str, int], _Round] = {}
        self._digests: set[bytes] = set()
        self._dumped: bytes | None = None
        """The state without the rounds in `_added`, to which they are appended; None where another has changed."""
        self._added: list[tuple[str, int]] = []
        self.looked_through_at: int | None = None
        """When, counted in rounds of any task, `AcceptedRecords` last looked for what may go."""
        if data is not None:
            self._load(data)

    def accepted(self, task: str, round_: int, attempt: int) -> bytes | None:
        """SHA-256 of the record accepted for this attempt, or None."""
        known = self._rounds.get((task, round_))
        return known.attempts.get(attempt) if known else None

    def accepted_in_round(self, task: str, round_: int) -> bool:
        """Whether an update for any attempt of the round was accepted."""
        known = self._rounds.get((task, round_))
        return known is not None and bool(known.attempts)

    def digest_seen(self, record_sha256: bytes) -> bool:
        return record_sha256 in self._digests

    def num_failures(self, task: str, round_: int) -> int:
        """How many updates for the round were refused for their evidence."""
        known = self._rounds.get((task, round_))
        return known.num_failures if known else 0

    def remember(self, task: str, round_: int, attempt: int, record_sha256: bytes) -> None:
        known = self._changing(task, round_)
        known.attempts[attempt] = record_sha256
        self._digests.add(record_sha256)
        if len(known.attempts) > _ATTEMPTS:
            self._digests.discard(known.attempts.pop(min(known.attempts)))

    def note_failure(self, task: str, round_: int) -> None:
        known = self._changing(task, round_)
        known.num_failures = min(known.num_failures + 1, _MOST_FAILURES)

    def merge(self, other: ParticipantMemory) -> None:
        """Remember also what another one does of the same participant."""
        for (task, round_), theirs in other._rounds.items():
            known = self._changing(task, round_)
            known.num_failures = max(known.num_failures, theirs.num_failures)
            for attempt, record_sha256 in theirs.attempts.items():
                if attempt not in known.attempts:
                    self.remember(task, round_, attempt, record_sha256)

    def forget(self, first: FirstRemembered) -> bool:
        """Let go of the rounds before each task's first that is remembered. Whether there were any."""
        past = [place for place in self._rounds if place[1] < first(place[0])]
        for place in past:
            self._dumped = None
            self._digests.difference_update(self._rounds.pop(place).attempts.values())
        return bool(past)

    @property
    def is_empty(self) -> bool:
        """Whether its state may go."""
        return not self._rounds

    def dump(self) -> bytes:
        if self._dumped is None:
            self._dumped, self._added = _VERSION, list(self._rounds)
        if self._added:
            rounds = [(place, self._rounds[place]) for place in self._added]
            added = [known.encoded or known.encode(*place) for place, known in rounds]
            self._dumped = b"".join([self._dumped, *added])
            self._added.clear()
        return self._dumped

    def _changing(self, task: str, round_: int) -> _Round:
        known = self._rounds.get((task, round_))
        if known is None:
            known = self._rounds[task, round_] = _Round()
            self._added.append((task, round_))
        elif (task, round_) not in self._added:
            self._dumped = None
        known.encoded = None
        return known

    def _load(self, data: bytes) -> None:
        if data[:1] != _VERSION:
            raise ValueError(f"accepted updates of version {data[:1].hex()}; this job reads version {_VERSION.hex()}")
        at = 1
        while at < len(data):
            start = at + 1
            at = start + data[at]
            task = data[start:at].decode()
            round_, num_failures, num_attempts = _ROUND.unpack_from(data, at)
            at += _ROUND.size
            known = self._rounds[task, round_] = _Round()
            known.num_failures = num_failures
            for _ in range(num_attempts):
                attempt, digest = _ATTEMPT.unpack_from(data, at)
                at += _ATTEMPT.size
                known.attempts[attempt] = digest
                self._digests.add(digest)


class _Firsts(dict[str, int]):
    """The first round that is remembered, asked once for each task."""

    def __init__(self, ask: FirstRemembered) -> None:
        self._ask = ask

    def __missing__(self, task: str) -> int:
        first = self[task] = self._ask(task)
        return first


class AcceptedRecords:
    """The memories of the participants judged lately; answers the gate's `SeenView`. state: Flink's, which stands for
    the lane being judged. recovered: what the log said of a participant when the process started; state that was kept
    over a restart holds it already, and knows more. num_rounds: a number that changes when a first round that is
    remembered does."""

    def __init__(
        self,
        state: ByteMap,
        first_remembered: FirstRemembered,
        recovered: Callable[[str], ParticipantMemory | None] = lambda participant: None,
        num_rounds: Callable[[], int] | None = None,
    ) -> None:
        self._state = state
        self._num_rounds = num_rounds
        self._recovered = recovered
        self._first_remembered = first_remembered
        self._mirrors: OrderedDict[str, ParticipantMemory] = OrderedDict()
        self._changed: dict[str, ParticipantMemory] = {}

    def accepted(self, participant: str, task: str, round: int, attempt: int) -> bytes | None:
        return self._of(participant).accepted(task, round, attempt)

    def accepted_in_round(self, participant: str, task: str, round: int) -> bool:
        return self._of(participant).accepted_in_round(task, round)

    def digest_seen(self, participant: str, record_sha256: bytes) -> bool:
        return self._of(participant).digest_seen(record_sha256)

    def num_failures(self, participant: str, task: str, round: int) -> int:
        return self._of(participant).num_failures(task, round)

    def remember(self, update: AcceptedUpdate) -> None:
        """Note an accepted update; `flush` writes it."""
        memory = self._of(update.participant)
        memory.remember(update.task, update.round, update.attempt, update.record_sha256)
        self._changed[update.participant] = memory

    def note_failure(self, participant: str, task: str, round: int) -> None:
        """Note an update that its evidence spoke against; `flush` writes it."""
        memory = self._of(participant)
        memory.note_failure(task, round)
        self._changed[participant] = memory

    def flush(self) -> None:
        """Write what changed. Before the lane being judged changes, and before the call into Python ends."""
        if not self._changed:
            return
        dumps, first = {}, _Firsts(self._first_remembered).__getitem__
        num_rounds = self._num_rounds() if self._num_rounds is not None else None
        for participant, memory in self._changed.items():
            if num_rounds is None or memory.looked_through_at != num_rounds:
                memory.looked_through_at = num_rounds
                memory.forget(first)
            if memory.is_empty:
                self._state.remove(participant)
            else:
                dumps[participant] = memory.dump()
        if dumps:
            self._state.put_all(dumps)
        self._changed.clear()

    def sweep(self) -> None:
        """Forget what is past also of participants that no longer contribute, in the lane being judged."""
        self.flush()
        shorter, first = {}, _Firsts(self._first_remembered).__getitem__
        for participant, data in list(self._state.items()):
            memory = ParticipantMemory(bytes(data))
            if memory.forget(first):
                self._mirrors.pop(participant, None)
                if memory.is_empty:
                    self._state.remove(participant)
                else:
                    shorter[participant] = memory.dump()
        if shorter:
            self._state.put_all(shorter)

    def _of(self, participant: str) -> ParticipantMemory:
        """The memory of a participant of the lane being judged."""
        mirror = self._mirrors.get(participant)
        if mirror is None:
            mirror = self._changed.get(participant)
            if mirror is None:
                stored = self._state.get(participant)
                mirror = ParticipantMemory(None if stored is None else bytes(stored))
                recovered = self._recovered(participant)
                if recovered is not None:
                    mirror.merge(recovered)
            self._mirrors[participant] = mirror
            if len(self._mirrors) > _MIRRORED:
                self._mirrors.popitem(last=False)
        else:
            self._mirrors.move_to_end(participant)
        return mirror
