"""Reports from the demonstration's processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.reports import Ended, Enrolled, Failed, Ready, Report, Reporter, ReportReader, Sent, Stuck, parse

ALL: list[Report] = [
    Ready(),
    Enrolled(member="a"),
    Stuck(member="a", round=2, num_acknowledged=3, num_chunks=6),
    Sent(member="a", kind="own", round=2, partition=1, offset=7, num_uploaded=3),
    Ended(member="a"),
    Failed(member="b", reason="it broke"),
]


def test_what_is_reported_is_read_once_and_in_order(tmp_path: Path) -> None:
    reader = ReportReader(tmp_path / "reports.jsonl")
    assert reader.new() == []
    reporter = Reporter(tmp_path / "reports.jsonl")
    for report in ALL[:3]:
        reporter.report(report)
    assert reader.new() == ALL[:3]
    for report in ALL[3:]:
        reporter.report(report)
    assert reader.new() == ALL[3:]
    assert reader.new() == []
    reporter.close()


def test_a_line_still_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    reader = ReportReader(path)
    path.write_text('{"report": "Ended", "mem')
    assert reader.new() == []
    with path.open("a") as file:
        file.write('ber": "a"}\n')
    assert reader.new() == [Ended(member="a")]


def test_other_lines_are_no_reports() -> None:
    with pytest.raises(ValueError, match="not a report"):
        parse('{"report": "Sabotage"}')
