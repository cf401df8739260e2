"""Laws of the gate's memory: bounded whatever participants skip, and never short of what may still be taken."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.validation.accepted_records import REPEATED_ROUNDS, AcceptedRecords, ParticipantMemory, first_remembered
from tests.unit.governance.admission.builders import a_round
from tests.unit.pipelines.aggregation.builders import an_update
from tests.unit.pipelines.flink_state import MapState

PARTICIPANTS = 3


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sets(st.integers(0, PARTICIPANTS - 1))), max_size=40),
    st.integers(0, 6),
    st.integers(1, 10),
)
@settings(deadline=None)
def test_a_participant_keeps_at_most_the_window_whichever_rounds_it_skips(
    history: list[tuple[int, set[int]]], max_staleness: int, swept_every: int
) -> None:
    """history: by how much the round moves on, and who contributes to it then."""
    cell: dict[str, bytes] = {}
    state, newest = MapState(lambda: cell), 1

    def first(task: str) -> int:
        return first_remembered(a_round(round=newest, max_staleness=max_staleness))

    def num_rounds() -> int:
        return newest

    records = AcceptedRecords(state, first, num_rounds=num_rounds)
    accepted: dict[tuple[int, int], bytes] = {}
    window = max_staleness + REPEATED_ROUNDS + 1
    for step, (moved, contributors) in enumerate(history):
        newest += moved
        for number in contributors - {who for who, round_ in accepted if round_ == newest}:
            update = an_update(number, round=newest, record_sha256=bytes([step, number]) * 16)
            records.remember(update)
            accepted[number, newest] = update.record_sha256
        records.flush()
        if step % swept_every == 0:
            records.sweep()
            records = AcceptedRecords(state, first, num_rounds=num_rounds)
            rounds = {round_ for _, round_ in accepted if round_ > newest - window}
            assert len(cell) <= len({who for who, round_ in accepted if round_ in rounds})
        for (number, round_), digest in accepted.items():
            if round_ >= newest - max_staleness:
                assert records.accepted(f"participant-{number}", "demo", round_, 1) == digest
        assert all(len(data) < 1 + window * 60 for data in cell.values())


def test_one_update_in_each_tenth_round_leaves_no_more_than_the_window() -> None:
    cell: dict[str, bytes] = {}
    newest = 0
    records = AcceptedRecords(MapState(lambda: cell), lambda task: first_remembered(a_round(round=newest)))
    for newest in range(0, 20_000, 10):
        records.remember(an_update(1, round=newest, record_sha256=newest.to_bytes(32, "big")))
        records.flush()
    assert len(cell["participant-1"]) < 100


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6), st.integers(0, 3), st.booleans()), max_size=40))
def test_what_is_written_after_each_change_is_what_is_written_once(changes: list[tuple[str, int, int, bool]]) -> None:
    """changes: task, round, attempt that was accepted (0: it failed), whether older rounds are forgotten then."""
    often, once = ParticipantMemory(), ParticipantMemory()
    for number, (task, round_, attempt, forgets) in enumerate(changes):
        for memory in (often, once):
            if attempt:
                memory.remember(task, round_, attempt, number.to_bytes(32))
            else:
                memory.note_failure(task, round_)
            if forgets:
                memory.forget(lambda task, first=round_: first)
        often.dump()
    assert often.dump() == once.dump() == ParticipantMemory(once.dump()).dump()
