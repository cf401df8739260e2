"""The Flink distribution inside the apache-flink wheel, and the configuration of a cluster made from it.

Thread mode decides the shape: the operators' interpreter lives in the TaskManager's JVM, one slot each, and
flink-python must be on the cluster's own class path, or a TaskManager could run only one job in its life.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.machine.errors import StackError
from deploy.machine.jars import CHECKOUT
from deploy.machine.ports import HOST
from deploy.machine.processes import JAVA_LOCALE
from pipelines.flink.jars import flink_jars


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskManagerMemory:
    """Megabytes. What the interpreter allocates (numpy, torch) comes on top; Flink does not see it."""

    heap: int = 384
    off_heap: int = 192
    network: int = 64
    managed: int = 64
    metaspace: int = 192

    def jvm_options(self) -> list[str]:
        return [
            "-Xms128m",
            f"-Xmx{self.heap}m",
            f"-XX:MaxDirectMemorySize={self.off_heap + self.network}m",
            f"-XX:MaxMetaspaceSize={self.metaspace}m",
        ]

    def configuration(self) -> dict[str, str]:
        """The same limits as Flink's own configuration, which it wants in full when no script computes them."""
        return {
            "taskmanager.cpu.cores": "1.0",
            "taskmanager.memory.framework.heap.size": "64m",
            "taskmanager.memory.task.heap.size": f"{self.heap - 64}m",
            "taskmanager.memory.framework.off-heap.size": f"{self.off_heap // 2}m",
            "taskmanager.memory.task.off-heap.size": f"{self.off_heap - self.off_heap // 2}m",
            "taskmanager.memory.network.min": f"{self.network}m",
            "taskmanager.memory.network.max": f"{self.network}m",
            "taskmanager.memory.managed.size": f"{self.managed}m",
            "taskmanager.memory.jvm-metaspace.size": f"{self.metaspace}m",
            "taskmanager.memory.jvm-overhead.min": "64m",
            "taskmanager.memory.jvm-overhead.max": "64m",
        }


def flink_home() -> Path:
    """site-packages/pyflink. Raises StackError when PyFlink is not installed."""
    found = importlib.util.find_spec("pyflink")
    if found is None or found.origin is None:
        raise StackError("PyFlink is not installed in this environment: run `make setup` and use .venv/bin/fluvial")
    return Path(found.origin).parent


def class_path() -> str:
    """Flink's jars, flink-python and ours; flink-dist last, as Flink's own scripts have it."""
    jars = sorted((flink_home() / "lib").glob("*.jar"), key=lambda jar: jar.name.startswith("flink-dist"))
    python = sorted((flink_home() / "opt").glob("flink-python*.jar"))
    return os.pathsep.join(str(jar) for jar in [*python, *flink_jars(), *jars])


def java_options() -> list[str]:
    """What Flink needs of Java 17, from the wheel's own configuration."""
    wheel = yaml.safe_load((flink_home() / "conf" / "config.yaml").read_text())
    return str(wheel["env"]["java"]["opts"]["all"]).split()


def environment(directory: Path) -> dict[str, str]:
    """Environment of every Flink process of a cluster in `directory`, and of the interpreters inside them. They run in
    that folder, and their configuration is relative to it."""
    home = flink_home()
    site_packages = [path for path in sys.path if path.endswith("site-packages")]
    return {
        **os.environ,
        "FLINK_HOME": str(home),
        "FLINK_BIN_DIR": str(home / "bin"),
        "FLINK_LIB_DIR": str(home / "lib"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        "FLINK_CONF_DIR": str(directory / "conf"),
        "FLINK_LOG_DIR": str(directory / "log"),
        "FLINK_PID_DIR": str(directory / "pid"),
        # The embedded interpreter finds pemja through `python` on PATH and modules through PYTHONPATH.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *site_packages]),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Chunks of a MiB come and go in many threads: without these, freed ones stay with the arenas.
        "MALLOC_ARENA_MAX": "2",
        "TMPDIR": str(directory / "tmp"),
        **JAVA_LOCALE,
    }


def write_configuration(directory: Path, *, rpc_port: int, rest_port: int, memory: TaskManagerMemory) -> None:
    """config.yaml and the log settings in directory/conf, and the folders that they name."""
    for name in ("conf", "log", "pid", "tmp"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    configuration = {
        "env.java.opts.all": " ".join(java_options()),
        "jobmanager.rpc.address": HOST,
        "jobmanager.rpc.port": str(rpc_port),
        "jobmanager.bind-host": HOST,
        "taskmanager.host": HOST,
        "taskmanager.bind-host": HOST,
        "rest.address": HOST,
        "rest.bind-address": HOST,
        "rest.port": str(rest_port),
        "rest.bind-port": str(rest_port),
        # A submission hands over a finished job graph; nobody needs to upload jars.
        "web.submit.enable": "false",
        "io.tmp.dirs": "tmp",
        "taskmanager.numberOfTaskSlots": "1",
        # Jobs bring the jars that the cluster has already: one copy of each class is enough.
        "classloader.resolve-order": "parent-first",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        # A TaskManager that was killed is noticed in seconds, and its supervisor starts another.
        "heartbeat.interval": "1000",
        "heartbeat.timeout": "8000",
        "slot.request.timeout": "120000",
        # Both start at once: a TaskManager that is first would look for its JobManager again after ten seconds.
        "cluster.registration.error-delay": "100",
        # What is asked of the REST interface would otherwise be as it was up to three seconds ago.
        "rest.cache.execution-graph.timeout": "20",
        "rest.cache.checkpoint-statistics.timeout": "20",
        **memory.configuration(),
    }
    (directory / "conf" / "config.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False, width=10_000))
    for source in (flink_home() / "conf").glob("log4j*.properties"):
        (directory / "conf" / source.name).write_text(source.read_text())
