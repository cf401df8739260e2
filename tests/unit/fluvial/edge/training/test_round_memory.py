from pathlib import Path

import numpy as np
import pytest

from fluvial.edge.training.round_memory import RoundMemory


def vector(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def correction(folder: Path, task: str = "task") -> RoundMemory:
    return RoundMemory(folder, task, "correction")


def test_a_participant_starts_with_what_it_is_given(tmp_path: Path) -> None:
    assert correction(tmp_path / "not-there-yet").before(1, vector(1, 2)).tolist() == [1, 2]


def test_the_next_round_continues_and_a_repeat_does_not(tmp_path: Path) -> None:
    correction(tmp_path).keep(4, vector(1, 2), vector(3, 4))
    kept, zeros = correction(tmp_path), vector(0, 0)
    assert kept.before(5, zeros).tolist() == [3, 4]
    assert kept.before(9, zeros).tolist() == [3, 4]
    assert kept.before(4, zeros).tolist() == [1, 2]  # trained, but crashed before the outbox had it
    assert kept.before(1, zeros).tolist() == [0, 0]  # another task of this name
    assert correction(tmp_path, "other").before(5, zeros).tolist() == [0, 0]
    assert RoundMemory(tmp_path, "task", "personal").before(5, zeros).tolist() == [0, 0]


def test_a_crash_while_writing_leaves_the_last_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = correction(tmp_path)
    kept.keep(1, vector(0), vector(1))
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        kept.keep(2, vector(1), vector(2))
    assert kept.before(2, vector(0)).tolist() == [1]


def test_another_model_is_refused(tmp_path: Path) -> None:
    correction(tmp_path).keep(1, vector(0, 0), vector(1, 1))
    with pytest.raises(ValueError, match="2 elements, this one has 3"):
        correction(tmp_path).before(2, vector(0, 0, 0))
    with pytest.raises(ValueError, match="of a model"):
        correction(tmp_path).before(2, np.zeros(2, np.uint8))
