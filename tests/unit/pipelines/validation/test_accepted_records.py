"""What was accepted is remembered for a while; nothing else is."""

import pytest
from pydantic import ValidationError

from fluvial.wire.task_file import WindowSpec
from pipelines.validation.accepted_records import KEPT_ROUNDS, SeenByParticipant, SeenLazily, SeenUpdates
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


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_an_accepted_update_is_found_by_attempt_and_by_digest() -> None:
    seen = SeenUpdates()
    first, second = an_update(1), an_update(2, attempt=2)
    seen.remember(first)
    seen.remember(second)
    assert seen.accepted("demo", 1, 1) == first.record_sha256
    assert seen.accepted("demo", 1, 2) == second.record_sha256
    assert seen.accepted("demo", 1, 3) is None
    assert seen.accepted("other", 1, 1) is None
    assert seen.accepted_in_round("demo", 1)
    assert not seen.accepted_in_round("demo", 2)
    assert not seen.accepted_in_round("other", 1)
    assert seen.digest_seen(first.record_sha256)
    assert not seen.digest_seen(bytes(32))


def test_a_round_is_forgotten_after_a_while_and_its_bytes_with_it() -> None:
    seen = SeenUpdates()
    longest = 0
    for round_ in range(1, 3 * KEPT_ROUNDS):
        seen.remember(an_update(round_, round=round_, record_sha256=digest(round_)))
        longest = max(longest, len(seen.dump()))
    assert not seen.digest_seen(digest(2 * KEPT_ROUNDS - 1))
    assert seen.digest_seen(digest(2 * KEPT_ROUNDS))
    assert longest < 2 * KEPT_ROUNDS * 50


@pytest.mark.parametrize("last", [1, KEPT_ROUNDS, KEPT_ROUNDS + 7, 2 * KEPT_ROUNDS + 1])
def test_a_stored_memory_knows_the_same(last: int) -> None:
    seen = SeenUpdates()
    for round_ in range(1, last + 1):
        seen.remember(an_update(round_, round=round_, record_sha256=digest(round_)))
    again = SeenUpdates(seen.dump())
    for round_ in range(1, last + 1):
        assert again.digest_seen(digest(round_)) == seen.digest_seen(digest(round_))
        assert again.accepted("demo", round_, 1) == seen.accepted("demo", round_, 1)


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        SeenUpdates(b"\x02")


def test_the_state_is_read_once_and_written_once_for_a_bundle() -> None:
    state = Memory()
    seen = SeenByParticipant(state)
    for attempt in range(1, 4):
        update = an_update(1, attempt=attempt, record_sha256=digest(attempt))
        assert not seen.of(update.participant).digest_seen(update.record_sha256)
        seen.remember(update)
    seen.flush()
    seen.flush()
    assert (state.reads, state.writes) == (1, 1)
    again = SeenByParticipant(state)
    assert again.of("participant-1").accepted("demo", 1, 3) == digest(3)
    assert again.of("participant-1") is again.of("participant-1")


def test_what_changed_is_known_also_when_it_was_pushed_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.validation.accepted_records._MIRRORED", 1)
    seen = SeenByParticipant(Memory())
    seen.remember(an_update(1))
    seen.remember(an_update(2))
    assert seen.of("participant-1").digest_seen(an_update(1).record_sha256)


def test_nobody_is_looked_up_before_the_gate_asks() -> None:
    state = Memory()
    lazily = SeenLazily(SeenByParticipant(state), "participant-1")
    assert state.reads == 0
    assert lazily.accepted("demo", 1, 1) is None
    assert not lazily.digest_seen(digest(1))
    assert state.reads == 1


def test_more_rounds_are_remembered_than_updates_may_lag_behind() -> None:
    with pytest.raises(ValidationError):
        WindowSpec(mode="buffered", max_staleness=KEPT_ROUNDS)
    WindowSpec(mode="buffered", max_staleness=KEPT_ROUNDS - 1)
