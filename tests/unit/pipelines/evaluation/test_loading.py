"""What takes seconds to import is imported beside everything else, once."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from pipelines.evaluation.loading import Loading


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("taking_long", "after_that", "failing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_nobody_waits_until_all_is_imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(threading, "gate_of_this_test", gate, raising=False)
    (folder / "taking_long.py").write_text("import threading; assert threading.gate_of_this_test.wait(30)")
    (folder / "after_that.py").touch()
    loading = Loading(["taking_long", "after_that"])
    assert not loading.is_done()
    assert not loading.is_done()
    assert "after_that" not in sys.modules
    gate.set()
    assert loading._thread is not None
    loading._thread.join(30)
    assert loading.is_done()
    assert {"taking_long", "after_that"} <= sys.modules.keys()


def test_what_cannot_be_imported_is_found_out_by_who_needs_it(folder: Path) -> None:
    (folder / "failing.py").write_text("raise OSError('no such library')")
    loading = Loading(["failing"])
    loading.is_done()
    assert loading._thread is not None
    loading._thread.join(30)
    assert loading.is_done()


def test_what_is_under_way_when_the_first_model_comes_is_not_held_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "taking_long.py").touch()
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        assert "taking_long" not in sys.modules

    monkeypatch.setattr("pipelines.evaluation.loading.time.sleep", pause)
    loading = Loading(["taking_long"], pause_seconds=7.0)
    loading.is_done()
    assert loading._thread is not None
    loading._thread.join(30)
    assert 7.0 in paused
    assert "taking_long" in sys.modules
