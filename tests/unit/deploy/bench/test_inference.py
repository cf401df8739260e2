"""`fluvial bench inference`: what its loads are asked for, and that the service beside it is started and ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.bench import inference


def test_the_loads_are_the_goals_of_the_benchmarks_page() -> None:
    page = (Path(__file__).parents[3] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for examples, per_second in inference.TARGETS.values():
        assert f"{per_second:,.0f}/s" in page
        assert examples in (1, 64)


@pytest.mark.soak
def test_the_service_to_compare_with_answers_and_ends(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", np.zeros((4, 1, 28, 28), np.uint8))
    with inference._Compared(tmp_path, tmp_path / "inputs.npy") as other:
        outcome = other.measure("few", 2, 20.0, 1.0)
    assert outcome.failed == 0
    assert len(outcome.intended) > 5
    assert other._process.returncode is not None
