"""The series without what it measures."""

import json
from pathlib import Path

import pytest

from deploy.bench.aggregate import run
from tests.benchmarks import scaling
from tests.benchmarks.scaling import SERIES, Measurement, table

RESULT = {
    "seconds_per_round": 2.0,
    "megabytes_per_second": 160.0,
    "rounds": [{"cpu_seconds": {"operators": seconds}} for seconds in (9.0, 0.64, 0.64)],
    "peak_rss_mb": {"operators": 700.0},
}


def test_the_series_are_those_that_the_cost_is_judged_by() -> None:
    def sizes(series: str) -> list[tuple[int, float, int]]:
        return [(each.participants, each.megabytes, each.shards) for each in SERIES if each.series == series]

    assert sizes("participants") == [(10, 0.1, 4), (100, 0.1, 4), (1000, 0.1, 4)]
    assert sizes("shards") == [(8, 40, 1), (8, 40, 2), (8, 40, 4)]
    assert {(100, 40, 4), (8, 1000, 4)} <= set(sizes("memory"))
    assert len(set(SERIES)) == len(SERIES)


def test_arguments_are_those_of_the_command() -> None:
    from typer.main import get_command

    from deploy.commands.bench import app

    known = {name for option in get_command(app).commands["aggregate"].params for name in option.opts}
    arguments = Measurement(series="a", participants=3, megabytes=0.1).arguments()
    assert set(arguments[::2]) <= known
    assert dict(zip(arguments[::2], arguments[1::2], strict=True))["--at-once"] == "8"


def test_what_is_done_is_not_repeated_and_what_failed_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Measurement] = []

    def measure(measurement: Measurement, time_limit: float) -> dict[str, object]:
        asked.append(measurement)
        return {"error": "no disk"} if measurement.shards == 2 and len(asked) == 2 else RESULT

    monkeypatch.setattr(scaling, "measure", measure)
    output = tmp_path / "scaling.json"
    options = ["--output", str(output), "--series", "shards"]
    assert scaling.main(options) == 1
    assert "no disk" in capsys.readouterr().out
    assert scaling.main(options) == 0
    assert [each.shards for each in asked] == [1, 2, 4, 2]
    document = json.loads(output.read_text())
    assert len(document["measurements"]) == 3
    assert all("2.00" in line and "160" in line and "700" in line for line in table(document)[1:])
    document["machine"]["cores"] = 1000
    output.write_text(json.dumps(document))
    assert scaling.main(options) == 2
    assert "another machine" in capsys.readouterr().err


def test_a_full_disk_is_found_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": int(10e9)}))
    found = scaling.measure(Measurement(series="memory", participants=8, megabytes=1000, rounds=1), 1.0)
    assert "28 GB of disk are needed, 10 GB are free" in found["error"]


@pytest.mark.parametrize("megabytes", [0.064, 40.001, 0.0])
def test_a_size_that_cannot_be_is_refused_before_anything_starts(tmp_path: Path, megabytes: float) -> None:
    with pytest.raises(ValueError, match=r"multiple of 0\.004"):
        run(tmp_path, num_participants=1, megabytes=megabytes, num_rounds=1, uploads="before")
    assert not list(tmp_path.iterdir())
