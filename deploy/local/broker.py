"""One real Kafka broker on this machine: KRaft, broker and controller in one JVM, plaintext on the loopback interface.

The data directory holds the log, the configuration and the ports. Data and, where they are still free, ports survive a
stop and a start in the same directory, so that clients with an old address find the broker again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException

from deploy.local.errors import StartError, start_error
from deploy.local.jars import kafka_jars
from deploy.local.ports import HOST, free_ports, is_free, is_listening
from deploy.local.processes import JAVA_LOCALE, end, java, spawn
from deploy.local.topics import admin_client
from fluvial.identity.brokers import Brokers
from pipelines.config import TRANSACTION_TIMEOUT_MS

HEAP = ("-Xms128m", "-Xmx384m")
# The second compiler would take a core for the first gigabytes, and once warm the broker is no faster with it.
_COMPILER = "-XX:TieredStopAtLevel=1"
_START_SECONDS = 60.0
_ATTEMPTS = 3
_ADDRESS_IN_USE = "Address already in use"

_CONFIGURATION = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=log
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
# Whoever leaves a transaction open keeps every reader of the topic waiting.
transaction.max.timeout.ms={transaction_timeout_ms}
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
message.max.bytes=20971520
replica.fetch.max.bytes=20971520
group.initial.rebalance.delay.ms=0
# After a crash the controller waits for the end of the former session: 9 s where there are many brokers.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=400
# One client machine and a few topics: small pools, so that a laptop has room for the jobs.
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.io.buffer.size=131072
"""


class Broker:
    """A broker in a data directory. A context manager: it runs between enter and exit. Safe to use from threads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.log = self.directory / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._mutex = threading.RLock()
        self._ports: tuple[int, int] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address of the broker. Raises StartError before the first start."""
        if self._ports is None:
            raise StartError("the broker was not started yet")
        return f"{HOST}:{self._ports[0]}"

    @property
    def brokers(self) -> Brokers:
        """How clients reach it. Raises StartError before the first start."""
        return Brokers(bootstrap_servers=self.bootstrap_servers)

    @property
    def has_started(self) -> bool:
        """Whether it runs, and its address is known: while it starts it has a process but no address yet."""
        return self._ports is not None and self.pid is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until it answers; again on the ports it had before. Does nothing if it runs.

        Raises StartError with the end of its log.
        """
        with self._mutex:
            if self.pid is None:
                self.directory.mkdir(parents=True, exist_ok=True)
                self._start()

    def stop(self) -> None:
        """Clean shutdown."""
        with self._mutex:
            if self._process is not None:
                end(self._process, grace_seconds=20.0)
                self._process = None

    def kill(self) -> None:
        """SIGKILL, as a crash does it; `start` then recovers the log."""
        with self._mutex:
            if self._process is not None:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
                self._process = None

    def restart(self) -> None:
        with self._mutex:
            self.stop()
            self.start()

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        for attempts_left in reversed(range(_ATTEMPTS)):
            ports = self._ports or self._remembered_ports()
            try:
                self._start_on(ports)
            except BaseException as error:
                self.stop()
                lost_a_port = isinstance(error, StartError) and _ADDRESS_IN_USE in str(error)
                if self._ports is not None or not lost_a_port or not attempts_left:
                    raise
                self._ports_file.unlink()
            else:
                self._ports = ports
                return

    @property
    def _ports_file(self) -> Path:
        return self.directory / "ports.json"

    def _remembered_ports(self) -> tuple[int, int]:
        if self._ports_file.exists():
            port, controller_port = json.loads(self._ports_file.read_text())
            if is_free(port) and is_free(controller_port):
                return port, controller_port
        port, controller_port = free_ports(2)
        self._ports_file.write_text(json.dumps([port, controller_port]))
        return port, controller_port

    def _start_on(self, ports: tuple[int, int]) -> None:
        configuration = self.directory / "server.properties"
        configuration.write_text(
            _CONFIGURATION.format(
                host=HOST,
                port=ports[0],
                controller_port=ports[1],
                transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            )
        )
        self.log.unlink(missing_ok=True)
        if not (self.directory / "log" / "meta.properties").exists():
            self._format(configuration)
        self._process = self._spawn(*HEAP, _COMPILER, main=["kafka.Kafka", configuration.name])
        self._wait_until_ready(ports[0])

    def _format(self, configuration: Path) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", "--standalone", f"--cluster-id={cluster_id}", "--config", configuration.name]
        self._process = self._spawn(_COMPILER, main=["kafka.tools.StorageTool", *arguments])
        if self._process.wait(_START_SECONDS) != 0:
            raise start_error("the broker's directory could not be formatted", self.log)

    def _spawn(self, *options: str, main: list[str]) -> subprocess.Popen[bytes]:
        command = [
            java(),
            *options,
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            f"{kafka_jars().resolve()}/*",
            *main,
        ]
        return spawn(command, log=self.log, environment=_environment(), folder=self.directory)

    def _wait_until_ready(self, port: int) -> None:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + _START_SECONDS
        while not (is_listening(port) and _answers(Brokers(bootstrap_servers=f"{HOST}:{port}"))):
            if process.poll() is not None:
                raise start_error(f"the broker ended while it started (exit status {process.returncode})", self.log)
            if time.monotonic() > deadline:
                raise start_error(f"the broker did not answer on port {port} in {_START_SECONDS:.0f} s", self.log)
            time.sleep(0.05)


def _answers(brokers: Brokers) -> bool:
    client = admin_client(brokers)
    try:
        return len(client.list_topics(timeout=2.0).brokers) == 1
    except KafkaException:
        return False


def _environment() -> dict[str, str]:
    """Only what a JVM needs: options of the user's other Java programs stay out."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "JAVA_HOME", "TMPDIR")}
    return {**kept, **JAVA_LOCALE}
