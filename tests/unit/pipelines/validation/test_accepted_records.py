"""What was accepted is remembered while it can matter; nothing else is, and nothing for longer."""

from collections.abc import Callable

import pytest

from fluvial.wire.records import RoundStatus
from pipelines.validation.accepted_records import (
    REPEATED_ROUNDS,
    AcceptedRecords,
    ParticipantMemory,
    first_remembered,
)
from tests.unit.governance.admission.builders import a_round
from tests.unit.pipelines.aggregation.builders import an_update


class Memory(dict[str, bytes]):
    """A dict with the methods of Flink's MapState; counts the look-ups and the writes."""

    reads = writes = 0

    def get(self, key: str) -> bytes | None:  # type: ignore[override]  # MapState's has no default
        self.reads += 1
        return super().get(key)

    def put_all(self, dict_value: dict[str, bytes]) -> None:
        self.writes += 1
        self.update(dict_value)

    def remove(self, key: str) -> None:
        self.pop(key, None)


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def from_round(first: int) -> Callable[[str], int]:
    return lambda task: first


def test_an_accepted_update_is_found_by_attempt_and_by_digest() -> None:
    memory = ParticipantMemory()
    memory.remember("demo", 1, 1, digest(1))
    memory.remember("demo", 1, 2, digest(2))
    memory.note_failure("demo", 2)
    assert [memory.accepted("demo", 1, attempt) for attempt in (1, 2, 3)] == [digest(1), digest(2), None]
    assert memory.accepted("other", 1, 1) is None
    assert memory.accepted_in_round("demo", 1)
    assert not memory.accepted_in_round("demo", 2)
    assert not memory.accepted_in_round("other", 1)
    assert memory.digest_seen(digest(1))
    assert not memory.digest_seen(digest(3))
    assert [memory.num_failures("demo", round_) for round_ in (1, 2, 3)] == [0, 1, 0]


def test_rounds_are_forgotten_by_threshold_and_their_bytes_with_them() -> None:
    memory = ParticipantMemory()
    for round_ in range(1, 10):
        memory.remember("demo", round_, 1, digest(round_))
    memory.note_failure("other", 2)
    assert not memory.forget(from_round(1))
    assert memory.forget({"demo": 5, "other": 0}.__getitem__)
    assert [memory.digest_seen(digest(round_)) for round_ in (4, 5)] == [False, True]
    assert memory.num_failures("other", 2) == 1
    assert not memory.is_empty
    assert memory.forget(from_round(10))
    assert memory.is_empty


def test_a_stored_memory_knows_the_same() -> None:
    memory = ParticipantMemory()
    for round_ in (3, 1, 1 << 40):
        for attempt in (1, 2):
            memory.remember("demo", round_, attempt, digest(round_ + attempt))
        memory.note_failure("other", round_)
    again = ParticipantMemory(memory.dump())
    assert again.dump() == memory.dump()
    assert again.accepted("demo", 1 << 40, 2) == digest((1 << 40) + 2)
    assert again.digest_seen(digest(4))
    assert again.num_failures("other", 3) == 1


def test_many_attempts_and_failures_of_one_round_take_bounded_room() -> None:
    memory = ParticipantMemory()
    for attempt in range(1, 1000):
        memory.remember("demo", 1, attempt, digest(attempt))
        memory.note_failure("demo", 1)
    assert len(memory.dump()) < 1000
    assert memory.accepted("demo", 1, 999) == digest(999)
    assert memory.accepted_in_round("demo", 1)
    assert not memory.digest_seen(digest(1))
    assert ParticipantMemory(memory.dump()).num_failures("demo", 1) == 255


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        ParticipantMemory(b"\x01")


def test_what_is_remembered_follows_the_newest_round() -> None:
    asynchronous = a_round(round=100, max_staleness=5)
    finished = a_round(round=100, status=RoundStatus.FINISHED)
    assert first_remembered(None) == 0
    assert first_remembered(a_round(round=100)) == 100 - REPEATED_ROUNDS
    assert first_remembered(asynchronous) == 95 - REPEATED_ROUNDS
    assert first_remembered(finished) == 101
    assert first_remembered(a_round(round=100, max_staleness=5, status=RoundStatus.FINISHED)) == 95 - REPEATED_ROUNDS


def test_the_state_is_read_once_and_written_once_for_a_bundle() -> None:
    state = Memory()
    records = AcceptedRecords(state, from_round(0))
    for attempt in range(1, 4):
        update = an_update(1, attempt=attempt, record_sha256=digest(attempt))
        assert not records.digest_seen(update.participant, update.record_sha256)
        records.remember(update)
    records.note_failure("participant-1", "demo", 2)
    records.flush()
    records.flush()
    assert (state.reads, state.writes) == (1, 1)
    again = AcceptedRecords(state, from_round(0))
    assert again.accepted("participant-1", "demo", 1, 3) == digest(3)
    assert again.accepted_in_round("participant-1", "demo", 1)
    assert again.num_failures("participant-1", "demo", 2) == 1


def test_what_changed_is_known_also_when_it_was_pushed_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.validation.accepted_records._MIRRORED", 1)
    records = AcceptedRecords(Memory(), from_round(0))
    records.remember(an_update(1))
    records.remember(an_update(2))
    assert records.digest_seen("participant-1", an_update(1).record_sha256)


def test_a_memory_in_which_nothing_is_left_leaves_the_state() -> None:
    state, first = Memory(), [0]
    records = AcceptedRecords(state, lambda task: first[0])
    for number in (1, 2):
        records.remember(an_update(number))
    records.flush()
    first[0] = 2
    records.remember(an_update(1, round=2))
    records.note_failure("participant-3", "demo", 1)
    records.sweep()
    assert set(state) == {"participant-1"}
    assert not records.accepted_in_round("participant-2", "demo", 1)
    assert records.accepted_in_round("participant-1", "demo", 2)


def test_of_a_participant_of_many_tasks_each_write_holds_what_all_of_them_have() -> None:
    state, memory = Memory(), ParticipantMemory()
    records = AcceptedRecords(state, from_round(0))
    for number in range(40):
        task, attempt = f"task-{number % 8}", 1 + number // 8
        update = an_update(1, task=task, attempt=attempt, record_sha256=digest(number))
        records.remember(update)
        memory.remember(task, update.round, attempt, digest(number))
        if number % 3 == 0:
            records.note_failure("participant-1", task, update.round)
            memory.note_failure(task, update.round)
        records.flush()
        assert state["participant-1"] == memory.dump() == ParticipantMemory(memory.dump()).dump()


def test_what_may_go_is_looked_for_when_a_round_has_begun_or_ended() -> None:
    asked: list[str] = []
    num_rounds = 1

    def first(task: str) -> int:
        asked.append(task)
        return num_rounds

    records = AcceptedRecords(Memory(), first, num_rounds=lambda: num_rounds)
    for number in range(3):
        records.remember(an_update(1, round=1, attempt=1 + number, record_sha256=digest(number)))
        records.flush()
    assert len(asked) == 1
    num_rounds = 2
    records.remember(an_update(1, round=2, record_sha256=digest(9)))
    records.flush()
    assert records.accepted("participant-1", "demo", 1, 1) is None
    assert records.accepted("participant-1", "demo", 2, 1) == digest(9)
