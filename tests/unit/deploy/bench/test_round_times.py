import pytest

from deploy.bench.round_times import RoundTimes, summary


def times(number: int, published: float) -> RoundTimes:
    return RoundTimes(
        round=number,
        update_bytes=320_000_000,
        opened=100.0,
        downloaded=101.0,
        first_chunk=101.5,
        uploaded=104.0,
        first_envelope=104.0,
        last_envelope=104.5,
        published=published,
        cpu_seconds={"broker": 0.5},
    )


def test_each_figure_is_measured_from_its_own_moment() -> None:
    found = times(1, 106.0).to_dict()
    assert found == {
        "round": 1,
        "seconds": 6.0,
        "download_seconds": 1.0,
        "upload_seconds": 2.5,
        "aggregate_seconds": 2.0,
        "seconds_after_last_envelope": 1.5,
        "megabytes_per_second": 160.0,
        "megabytes_per_second_from_upload": pytest.approx(320 / 4.5),
        "cpu_seconds": {"broker": 0.5},
    }


def test_one_slow_round_does_not_move_the_summary() -> None:
    found = summary([times(1, 124.0), times(2, 106.0), times(3, 106.0)])
    assert (found["seconds_per_round"], found["megabytes_per_second"]) == (6.0, 160.0)
    assert [each["round"] for each in found["rounds"]] == [1, 2, 3]
