"""Configuration of the session cluster: its limits add up, and what Java 17 needs is kept."""

from __future__ import annotations

from pathlib import Path

import yaml

from deploy.cluster.flink_home import TaskManagerMemory, java_options, write_configuration


def megabytes(text: str) -> int:
    assert text.endswith("m")
    return int(text[:-1])


def test_flink_is_told_the_limits_that_the_jvm_gets() -> None:
    memory = TaskManagerMemory(heap=500, off_heap=101, network=30)
    sizes = {key.removeprefix("taskmanager."): value for key, value in memory.configuration().items()}
    heap = megabytes(sizes["memory.framework.heap.size"]) + megabytes(sizes["memory.task.heap.size"])
    off_heap = megabytes(sizes["memory.framework.off-heap.size"]) + megabytes(sizes["memory.task.off-heap.size"])
    assert f"-Xmx{heap}m" in memory.jvm_options()
    assert f"-XX:MaxDirectMemorySize={off_heap + 30}m" in memory.jvm_options()


def test_the_configuration_is_flink_s_own_format(tmp_path: Path) -> None:
    write_configuration(tmp_path, rpc_port=1, rest_port=2, memory=TaskManagerMemory())
    written = yaml.safe_load((tmp_path / "conf" / "config.yaml").read_text())
    assert (written["jobmanager.rpc.port"], written["rest.port"]) == ("1", "2")
    assert written["taskmanager.numberOfTaskSlots"] == "1"
    assert written["env.java.opts.all"].split() == java_options()
    assert (tmp_path / "conf" / "log4j.properties").exists()


def test_java_17_opens_what_flink_needs() -> None:
    assert "--add-opens=java.base/java.util=ALL-UNNAMED" in java_options()


def test_nothing_is_looked_at_again_after_seconds_alone(tmp_path: Path) -> None:
    """Flink's own pauses: 10 s after a TaskManager was up before its JobManager, 3 s between looks at a job."""
    write_configuration(tmp_path, rpc_port=1, rest_port=2, memory=TaskManagerMemory())
    written = yaml.safe_load((tmp_path / "conf" / "config.yaml").read_text())
    pauses = (
        "cluster.registration.error-delay",
        "rest.cache.execution-graph.timeout",
        "rest.cache.checkpoint-statistics.timeout",
    )
    assert all(int(written[pause]) <= 100 for pause in pauses)
