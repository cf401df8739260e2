"""The environment of a job: a cluster of its own is for nobody else, and another one is told only where it is."""

from __future__ import annotations

import pytest

from pipelines.flink import environment
from pipelines.flink.bundles import LANES, lane_keys
from pipelines.flink.cluster import CLUSTER
from pipelines.flink.keys import subtask_of
from tests.unit.pipelines.validation.stage import SETTINGS


def test_a_cluster_inside_this_process_is_reached_from_this_machine_alone_and_takes_no_jobs_of_others() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYFLINK_GATEWAY_PORT", CLUSTER):
            patch.delenv(name, raising=False)
        options = environment._options(SETTINGS, "job")
        patch.setenv("PYFLINK_GATEWAY_PORT", "1")
        of_another_cluster = environment._options(SETTINGS, "job")
    addresses = (
        "rest.address",
        "rest.bind-address",
        "jobmanager.rpc.address",
        "jobmanager.bind-host",
        "taskmanager.host",
        "taskmanager.bind-host",
    )
    assert {options[name] for name in addresses} == {"127.0.0.1"}
    assert options["web.submit.enable"] == "false"
    assert not set(addresses) & set(of_another_cluster)


def test_a_job_for_another_cluster_is_submitted_to_its_address_and_configures_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYFLINK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv(CLUSTER, "http://127.0.0.1:4711")
    options = environment._options(SETTINGS, "job")
    assert options["execution.target"] == "remote"
    assert (options["rest.address"], options["rest.port"]) == ("127.0.0.1", "4711")
    assert options["execution.attached"] == "false"
    assert not {name for name in options if name.startswith(("taskmanager.", "jobmanager.", "classloader."))}


@pytest.mark.parametrize("parallelism", [1, 2, 31, 32, 33, 128])
def test_every_lane_and_every_subtask_has_a_key_group(parallelism: int) -> None:
    settings = SETTINGS.model_copy(update={"parallelism": parallelism})
    groups = environment.max_parallelism(parallelism)
    assert environment._options(settings, "job")["pipeline.max-parallelism"] == str(groups)
    assert groups >= parallelism
    assert len(set(lane_keys(groups))) == LANES
    assert len({subtask_of(key, groups, groups) for key in lane_keys(groups)}) == LANES


def test_a_job_of_few_subtasks_has_no_more_key_groups_than_lanes() -> None:
    assert environment.max_parallelism(2) == LANES
