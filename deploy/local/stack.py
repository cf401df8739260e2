"""The embedded stack: broker, topics, keys and, when asked for, a session cluster, in one data directory.

A thread watches what runs and starts anew what ended by itself. Nothing outlives the stack: not its processes, whatever
ends it, and not a temporary data directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from deploy.broker.process import Broker
from deploy.broker.topics import create_topics, topic_exists
from deploy.cluster.session import SessionCluster
from deploy.federation import federation_ids
from deploy.federation.directory import DataDirectory, StackState
from deploy.federation.keys import ServiceKeys
from deploy.local.defaults import DEFAULT_PARTITIONS
from deploy.machine.errors import StackError
from deploy.machine.ports import HOST
from deploy.machine.processes import ProcessIdentity
from deploy.security.credentials import OWN_ROLES
from deploy.security.rights import ADMIN, BROKER, Role
from fluvial.cli.interruption import interruptible, uninterrupted
from fluvial.identity.brokers import Brokers, Security
from fluvial.identity.federation import Federation
from fluvial.wire.topics import Topics

_WATCH_SECONDS = 0.3
_MOST_RESTARTS = 20

Report = Callable[[str], None]


def _silent(_: str) -> None:
    pass


class Stack:
    """A stack of this process. task_managers: 0 for no session cluster (jobs then run with target `local`).

    secure: the broker asks everybody for a certificate or password; once it was so, it stays so. named: a federation
    that begins now has an id, which all that is signed for it names; without one, participants of the first release can
    take part. report: called with a
    line about each step. watch: start anew what ends by itself; tests that kill things turn it off where they restart
    them on their own.
    """

    def __init__(
        self,
        root: Path,
        *,
        task_managers: int = 0,
        partitions: int = DEFAULT_PARTITIONS,
        topic_prefix: str = "fluvial.",
        secure: bool = False,
        named: bool = True,
        report: Report = _silent,
        watch: bool = True,
    ) -> None:
        self.directory = DataDirectory(root)
        credentials = self.directory.credentials
        self._is_secure = secure or credentials.exist
        self.broker = Broker(self.directory.broker, credentials.folder if self._is_secure else None)
        self.cluster = SessionCluster(self.directory.cluster) if task_managers else None
        self._task_managers = task_managers
        self._partitions = partitions
        self._topic_prefix = topic_prefix
        self._named = named
        self._report = report
        self._watch = watch
        self._restarts = 0
        self._lock: IO[str] | None = None
        self._watching: threading.Thread | None = None
        self._mutex = threading.Lock()
        self._ending = threading.Event()
        self._stopped = threading.Event()

    @property
    def federation(self) -> Federation:
        return self.directory.federation()

    @property
    def keys(self) -> ServiceKeys:
        return ServiceKeys.load_or_make(self.directory.keys)

    def begin(self) -> None:
        """Begin to start, and return; `start` waits for the rest. Raises StackError, with nothing left running."""
        self.directory.make()
        self._take_lock()
        try:
            self.directory.remove_state()
            self._write_state("starting")
            if self.cluster is not None:
                self._report(f"starting the Flink cluster: a JobManager, {self._task_managers} TaskManagers")
                self.cluster.begin(0)
            self._report("starting the Kafka broker")
            if self._is_secure:
                self.directory.credentials.prepare((HOST, "localhost"))
            # All that comes later waits for the broker, and a TaskManager would take a core from what makes its folder.
            self.broker.begin(formatted=self.cluster is not None)
            if self.cluster is not None:
                self.cluster.add_task_managers(self._task_managers)
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Start everything and wait until it is ready. Raises StackError, with nothing left running."""
        if self._lock is None:
            self.begin()
        try:
            self.broker.start()
            self._write_state("starting")
            self._open_federation()
            if self.cluster is not None:
                self.cluster.start(self._task_managers)
                self._report(f"Flink at {self.cluster.rest_url}")
            self._write_state("running")
            if self._watch:
                self._watching = threading.Thread(target=self._watch_processes, name="stack-watch", daemon=True)
                self._watching.start()
        except BaseException:
            self.stop()
            raise

    def _open_federation(self) -> None:
        """Topics, rights, and federation.json as the operator needs it."""
        admin, credentials = self.broker.brokers, self.directory.credentials
        own = credentials.security(Role.OPERATOR).within(self.directory.root) if self._is_secure else Security()
        federation = self.keys.federation(
            Brokers(bootstrap_servers=admin.bootstrap_servers, security=own),
            topic_prefix=self._topic_prefix,
            partitions=self._partitions,
            federation_id=self._federation_id(admin),
        )
        create_topics(admin, federation.topics.all_settings(self._partitions, self.directory.topic_policy()))
        if self._is_secure:
            _give_rights(admin, federation)
        moved_from = self._moved_from(federation)
        federation.save(self.directory.federation_file)
        kind = "mutual TLS" if self._is_secure else "plain: whoever reaches it may do everything"
        self._report(f"broker at {admin} ({kind}), topics {federation.topic_prefix}*")
        if moved_from:
            self._report(
                f"warning: the broker was at {moved_from} before: whoever has a copy of federation.json needs the new "
                "one, or its new address in the old one"
            )

    def _moved_from(self, federation: Federation) -> str:
        """Where the copies of federation.json that were handed out look for the broker, if it is there no more."""
        try:
            former = Federation.load(self.directory.federation_file)
        except (OSError, ValueError):
            return ""
        moved = former.bootstrap_servers != federation.bootstrap_servers
        return former.bootstrap_servers if moved else ""

    def _federation_id(self, admin: Brokers) -> str | None:
        """Before the topics are made, so that a stack which dies in between draws another one."""
        if topic_exists(admin, Topics(self._topic_prefix).registry):
            return federation_ids.find(self.directory.keys, self._topic_prefix)
        if not self._named:
            return None
        return federation_ids.begin(self.directory.keys, self._topic_prefix)

    def stop(self) -> None:
        """Clean shutdown; data stays. Signals that ask to end are ignored meanwhile."""
        with uninterrupted():
            if self._lock is None:
                return
            self._ending.set()
            with self._mutex:  # not while something is being started again
                self._write_state("stopping")
                if self.cluster is not None:
                    self.cluster.stop()
                self.broker.stop()
            self._stopped.set()
            if self._watching is not None:
                self._watching.join()
                self._watching = None
            self.directory.remove_state()
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take_lock(self) -> None:
        lock = self.directory.lock_file.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StackError(
                f"a stack runs already in {self.directory.root}: `fluvial status` shows it, `fluvial down` stops it; "
                "another one needs another --data-dir"
            ) from None
        self._lock = lock

    def _write_state(self, phase: str) -> None:
        found: list[tuple[str, int | None]] = [("broker", self.broker.pid)]
        if self.cluster is not None:
            found.append(("job-manager", self.cluster.job_manager_pid))
            found += [("task-manager", pid) for pid in self.cluster.task_manager_pids]
        processes = [ProcessIdentity.find(role, pid) for role, pid in found if pid is not None]
        own = ProcessIdentity.find("supervisor", os.getpid())
        assert own is not None
        self.directory.write_state(
            StackState(
                phase=phase,
                supervisor=own,
                processes=tuple(process for process in processes if process is not None),
                bootstrap_servers=self.broker.bootstrap_servers if self.broker.has_started else "",
                password_servers=self.broker.password_servers if self._is_secure and self.broker.has_started else "",
                rest_url=self.cluster.rest_url if self.cluster is not None and self.cluster.job_manager_pid else "",
                restarts=self._restarts,
            )
        )

    def _watch_processes(self) -> None:
        while not self._ending.wait(_WATCH_SECONDS):
            with self._mutex:
                try:
                    if not self._ending.is_set():
                        self._restart_what_ended()
                except StackError as error:
                    self._report(f"error: {error}")
        # Linux ends a process with the thread that started it: this one stays until all have been stopped in order.
        self._stopped.wait()

    def _restart_what_ended(self) -> None:
        restarted = []
        if self._restarts < _MOST_RESTARTS:
            if self.broker.pid is None:
                self.broker.start()
                restarted.append("broker")
            if self.cluster is not None:
                restarted += self.cluster.restart_dead()
        wanted = self.directory.wanted_task_managers()
        if self.cluster is not None and (missing := wanted - len(self.cluster.task_manager_pids)) > 0:
            self.cluster.add_task_managers(missing)
            self._write_state("running")
        if restarted:
            self._restarts += len(restarted)
            self._report(f"ended by itself and was started again: {', '.join(restarted)}")
            if "JobManager" in restarted:
                self._report(
                    "jobs do not survive the JobManager: submit them again, they continue from their checkpoint"
                )
            if self._restarts >= _MOST_RESTARTS:
                self._report(f"{self._restarts} restarts: giving up; see the logs in {self.directory.root}")
            self._write_state("running")


def _give_rights(admin: Brokers, federation: Federation) -> None:
    from deploy.security.access import Access  # late: a plain stack does without them, and without a second client
    from deploy.security.quotas import PARTICIPANT, UNBOUNDED, set_quotas

    access = Access(admin, federation.topics)
    for role in OWN_ROLES:
        access.grant(role, role)
    set_quotas(admin, PARTICIPANT, dict.fromkeys((*OWN_ROLES, ADMIN, BROKER), UNBOUNDED))


@contextlib.contextmanager
def running_stack(
    root: Path | None = None,
    *,
    task_managers: int = 0,
    partitions: int = DEFAULT_PARTITIONS,
    topic_prefix: str = "fluvial.",
    secure: bool = False,
    named: bool = True,
    report: Report = _silent,
) -> Iterator[Stack]:
    """A stack between enter and exit; without `root` in a temporary directory, which is removed.

    Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt inside, and leave nothing behind.
    """
    with interruptible():
        temporary = Path(tempfile.mkdtemp(prefix="fluvial-")) if root is None else None
        try:
            with Stack(
                root or temporary or Path(),
                task_managers=task_managers,
                partitions=partitions,
                topic_prefix=topic_prefix,
                secure=secure,
                named=named,
                report=report,
            ) as stack:
                yield stack
        finally:
            if temporary is not None:
                with uninterrupted():
                    shutil.rmtree(temporary, ignore_errors=True)
