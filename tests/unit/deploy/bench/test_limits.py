import pytest

from deploy.bench import limits


def test_a_rate_counts_what_its_calls_have_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_WORK_SECONDS", 0.01)
    amounts: list[int] = []
    once, tenfold = (limits.per_second(lambda: amounts.append(sum(range(1000))), amount) for amount in (1, 10))
    assert amounts
    assert 2 * once < tenfold


def test_the_limits_of_a_core_are_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_REPEATS", 1)
    monkeypatch.setattr(limits, "_WORK_SECONDS", 0.01)
    assert all(figure > 100 for figure in limits.core().values())


def test_what_was_read_is_told_by_bytes_and_by_records() -> None:
    read = limits.Read(records=20, num_bytes=4_000_000, seconds=2.0)
    assert (read.megabytes_per_second, read.records_per_second) == (2.0, 10.0)
