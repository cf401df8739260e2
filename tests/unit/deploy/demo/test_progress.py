"""Plain lines where the output is piped."""

from __future__ import annotations

import io

from rich.console import Console

from deploy.demo.ledger import Ledger
from deploy.demo.progress import Progress
from fluvial.wire.records import Reason
from tests.unit.deploy.demo.records import TASK, UPDATES, contribution, manifest, release, round_, verdict

METRICS = ("loss", "accuracy")


def test_each_piece_of_news_is_one_line() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, force_terminal=False, width=200), "demo", expected_rounds=1, metrics=METRICS)
    book = Ledger(task=TASK, updates_topic=UPDATES)
    with progress:
        progress.begin("rounds")
        book.add(round_(1), 0)
        progress.show(book)
        for offset, name in enumerate("ab"):
            book.add(verdict(offset, participant=name), 0)
        book.add(verdict(2, Reason.SIGNATURE), 0)
        progress.show(book)
        book.add(manifest(1, (contribution("a"), contribution("b"))), 0)
        book.add(release(1, accuracy=0.9, loss=0.25), 0)
        for _ in range(3):
            progress.show(book)
    lines = [line[10:] for line in out.getvalue().splitlines()]
    assert lines == [
        "rounds",
        "round 1 open: quorum 2, target 3, deadline 20 s",
        "round 1: quorum reached",
        "round 1 done: accepted 2, rejected 1 SIGNATURE, late 0, accuracy 90.0 %, loss 0.250",
    ]
    assert [name for name, _ in progress.phases] == ["rounds"]


def test_a_terminal_gets_a_table() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, force_terminal=True, width=120), "demo", expected_rounds=1, metrics=METRICS)
    book = Ledger(task=TASK, updates_topic=UPDATES)
    book.add(round_(1), 0)
    book.add(verdict(0), 0)
    with progress:
        progress.begin("rounds")
        progress.show(book)
    assert "1 of 3" in out.getvalue()
    assert "2 reached" not in out.getvalue()


def test_the_metrics_of_a_regression_are_those_that_are_told() -> None:
    out = io.StringIO()
    metrics = ("rmse", "mae", "r2")
    progress = Progress(Console(file=out, force_terminal=False, width=200), "demo", expected_rounds=1, metrics=metrics)
    book = Ledger(task=TASK, updates_topic=UPDATES)
    with progress:
        book.add(round_(1), 0)
        book.add(manifest(1, (contribution("a"),)), 0)
        book.add(release(1, rmse=15.25, mae=11.5, r2=0.8), 0)
        progress.show(book)
    assert out.getvalue().endswith("rejected 0, late 0, rmse 15.250, mae 11.500\n")
