"""One real Kafka broker on this machine: KRaft, broker and controller in one JVM, on the loopback interface.

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

from deploy.broker.configuration import Ports, configuration
from deploy.broker.topics import admin_client
from deploy.machine import class_archives, compilers
from deploy.machine.errors import StartError, start_error
from deploy.machine.jars import adapters, kafka_jars
from deploy.machine.ports import HOST, free_ports, is_free, is_listening
from deploy.machine.processes import JAVA_LOCALE, end, java, spawn
from fluvial.cli.interruption import postponed
from fluvial.identity.brokers import Brokers, Security
from fluvial.wire.files import make_private_folder, replace_file

HEAP = ("-Xms128m", "-Xmx384m")
_START_SECONDS = 60.0
_ATTEMPTS = 3
_LOOK_SECONDS = 0.03
_ADDRESS_IN_USE = "Address already in use"
_MAIN = "org.fluvial.broker.FormattedBroker"
_NOT_FORMATTED = 3
"""Its exit status where it could not format its folder."""


class Broker:
    """A broker in a data directory. A context manager: it runs between enter and exit. Safe to use from threads."""

    def __init__(self, directory: Path, certificates: Path | None = None) -> None:
        """certificates: folder of the embedded authority with `broker.pem` and `admin.pem`; without it the broker is
        plain, and whoever reaches it may do everything."""
        self.directory = directory.resolve()
        self.certificates = certificates.resolve() if certificates is not None else None
        self.log = self.directory / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._mutex = threading.RLock()
        self._ports: Ports | None = None
        self._begun: Ports | None = None  # while nobody has waited for its answer

    @property
    def bootstrap_servers(self) -> str:
        """Address of the broker. Raises StartError before the first start."""
        if self._ports is None:
            raise StartError("the broker was not started yet")
        return f"{HOST}:{self._ports.clients}"

    @property
    def brokers(self) -> Brokers:
        """How its administrator reaches it. Raises StartError before the first start."""
        return self._brokers(self.bootstrap_servers)

    @property
    def password_servers(self) -> str:
        """Address for clients with a password; a secure broker alone has one. Raises StartError before the start."""
        if self._ports is None:
            raise StartError("the broker was not started yet")
        return f"{HOST}:{self._ports.passwords}"

    @property
    def has_started(self) -> bool:
        """Whether it runs, and its address is known: while it starts it has a process but no address yet."""
        return self._ports is not None and self.pid is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def begin(self, *, formatted: bool = True) -> None:
        """Begin to start, and return; `start` waits for the rest. formatted: return only when its folder is made.

        Raises StartError with the end of its log.
        """
        with self._mutex:
            if self.pid is None:
                make_private_folder(self.directory)  # it holds what everybody sends
                try:
                    self._begin(self._ports or self._remembered_ports())
                    if formatted:
                        self._wait_until_formatted()
                except BaseException:
                    self.stop()
                    raise

    def start(self) -> None:
        """Start and wait until it answers; again on the ports it had before. Does nothing if it runs.

        Raises StartError with the end of its log.
        """
        with self._mutex:
            if self.pid is None or self._begun is not None:
                make_private_folder(self.directory)
                self._start()

    def stop(self) -> None:
        """Clean shutdown."""
        with self._mutex:
            self._begun = None
            if self._process is not None:
                end(self._process, class_archives.grace_seconds(20.0))
                self._process = None

    def kill(self) -> None:
        """SIGKILL, as a crash does it; `start` then recovers the log."""
        with self._mutex:
            self._begun = None
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
            ports = self._begun or self._ports or self._remembered_ports()
            try:
                if self._begun is None:
                    self._begin(ports)
                self._wait_until_ready(ports.clients)
            except BaseException as error:
                self.stop()
                lost_a_port = isinstance(error, StartError) and _ADDRESS_IN_USE in str(error)
                if self._ports is not None or not lost_a_port or not attempts_left:
                    raise
                self._ports_file.unlink()
            else:
                self._ports, self._begun = ports, None
                return

    @property
    def _ports_file(self) -> Path:
        return self.directory / "ports.json"

    def _remembered_ports(self) -> Ports:
        remembered = _ports_in(self._ports_file)
        if remembered:
            remembered += free_ports(len(Ports._fields) - len(remembered))  # written before there were so many
            if all(map(is_free, remembered)):
                return Ports(*remembered)
        ports = Ports(*free_ports(len(Ports._fields)))
        replace_file(self._ports_file, json.dumps(ports))
        return ports

    def _begin(self, ports: Ports) -> None:
        """Start its process, which makes the folder where that is yet to be done."""
        file = self.directory / "server.properties"
        certificates = self.certificates and Path(os.path.relpath(self.certificates, self.directory))
        file.write_text(configuration(ports, certificates))
        self.log.unlink(missing_ok=True)
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        with postponed():
            self._process = self._spawn([file.name] if self._is_formatted else [file.name, cluster_id])
        self._begun = ports

    @property
    def _is_formatted(self) -> bool:
        return (self.directory / "log" / "meta.properties").exists()

    def _wait_until_formatted(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_formatted:
            self._check_start(deadline, "has not made its folder")
            time.sleep(_LOOK_SECONDS)

    def _spawn(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        command = [
            java(),
            *class_archives.options("broker"),
            *HEAP,
            compilers.FIRST,  # the second would take a core for the first gigabytes, and once warm gains nothing
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            os.pathsep.join([f"{kafka_jars().resolve()}/*", *(str(jar.resolve()) for jar in adapters())]),
            _MAIN,
            *arguments,
        ]
        return spawn(command, log=self.log, environment=_environment(), folder=self.directory)

    def _brokers(self, bootstrap_servers: str) -> Brokers:
        if self.certificates is None:
            return Brokers(bootstrap_servers=bootstrap_servers)
        own = self.certificates / "admin.pem"
        security = Security(protocol="SSL", ca_file=self.certificates / "ca.pem", certificate_file=own, key_file=own)
        return Brokers(bootstrap_servers=bootstrap_servers, security=security)

    def _wait_until_ready(self, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not (is_listening(port) and _answers(self._brokers(f"{HOST}:{port}"))):
            self._check_start(deadline, f"did not answer on port {port}")
            time.sleep(_LOOK_SECONDS)

    def _check_start(self, deadline: float, what: str) -> None:
        """Raises StartError if it has ended, or the time is over. what: it has not done until then."""
        assert self._process is not None
        status = self._process.poll()
        if status == _NOT_FORMATTED:
            raise start_error("the broker's directory could not be formatted", self.log)
        if status is not None:
            raise start_error(f"the broker ended while it started (exit status {status})", self.log)
        if time.monotonic() > deadline:
            raise start_error(f"the broker {what} in {_START_SECONDS:.0f} s", self.log)


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


def _ports_in(file: Path) -> list[int]:
    """What an earlier start wrote down; nothing where it did not, or its file is damaged: others are drawn then."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return []
    is_ports = isinstance(found, list) and all(type(port) is int and 0 < port < 1 << 16 for port in found)
    return found if is_ports and len(found) <= len(Ports._fields) else []
