from pathlib import Path

import numpy as np
import pytest

from fluvial.edge.training.correction import Correction


def vector(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_participant_starts_without_correction(tmp_path: Path) -> None:
    assert Correction(tmp_path / "not-there-yet", "task").before(1, 3).tolist() == [0, 0, 0]


def test_the_next_round_continues_and_a_repeat_does_not(tmp_path: Path) -> None:
    Correction(tmp_path, "task").keep(4, vector(1, 2), vector(3, 4))
    kept = Correction(tmp_path, "task")
    assert kept.before(5, 2).tolist() == [3, 4]
    assert kept.before(9, 2).tolist() == [3, 4]
    assert kept.before(4, 2).tolist() == [1, 2]  # trained, but crashed before the outbox had it
    assert kept.before(1, 2).tolist() == [0, 0]  # another task of this name
    assert Correction(tmp_path, "other").before(5, 2).tolist() == [0, 0]


def test_a_crash_while_writing_leaves_the_last_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Correction(tmp_path, "task")
    kept.keep(1, vector(0), vector(1))
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        kept.keep(2, vector(1), vector(2))
    assert kept.before(2, 1).tolist() == [1]


def test_another_model_is_refused(tmp_path: Path) -> None:
    Correction(tmp_path, "task").keep(1, vector(0, 0), vector(1, 1))
    with pytest.raises(ValueError, match="2 elements, this one has 3"):
        Correction(tmp_path, "task").before(2, 3)
