"""How long what a job writes may wait for its checkpoint."""

import pytest

from pipelines.flink.graph import commit_interval_ms


@pytest.mark.parametrize("stages", [["validation"], ["aggregation"], ["audit"], ["validation", "aggregation", "audit"]])
def test_what_other_stages_wait_for_has_the_interval_that_is_set(stages: list[str]) -> None:
    assert commit_interval_ms(stages, 300) == 300


@pytest.mark.parametrize("stages", [["validation", "aggregation"], ("aggregation", "validation")])
def test_a_job_that_plays_rounds_and_nothing_else_commits_verdicts_more_rarely(stages: list[str]) -> None:
    assert commit_interval_ms(stages, 300) == 900
