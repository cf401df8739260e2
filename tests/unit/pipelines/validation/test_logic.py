from pipelines.validation import logic


def park(num_parked: int, now_ms: int, started_ms: int = 0) -> logic.ParkedRecord | None:
    return logic.park(
        b"frame", num_parked, now_ms=now_ms, started_ms=started_ms, parking_ms=3_000, startup_grace_ms=10_000
    )


def test_a_record_waits_for_a_bounded_time() -> None:
    parked = park(0, 50_000)
    assert parked is not None
    assert parked.refuse_at_ms == 53_000
    assert logic.ParkedRecord.load(parked.dump()) == parked


def test_after_a_start_it_waits_until_the_registry_can_have_been_read() -> None:
    parked = park(0, 51_000, started_ms=50_000)
    assert parked is not None
    assert parked.refuse_at_ms == 60_000


def test_one_participant_cannot_park_without_end() -> None:
    assert park(logic.MAX_PARKED - 1, 0) is not None
    assert park(logic.MAX_PARKED, 0) is None


def test_looks_at_a_waiting_record_grow_rarer() -> None:
    assert [logic.retry_ms(waited) for waited in (0, 400, 2_000, 60_000)] == [100, 100, 500, 1_000]
