"""The participants of the demonstration, as threads of one process, or one of them as a process of its own.

    main(["--directory", DIR, "--task-file", FILE, "--data", PATH, "--only", NAME, "--package", DIR])

Every participant has its own key and outbox under DIR. Who starts the process has imported torch; the start
signal is the file DIR/federation.json, together with DIR/members.json. What happens is told in DIR/reports-*.jsonl.
The member that disappears runs only where it is named by --only, since its process is to be killed.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.demo.adversaries import Replayer, forge, poisoned
from deploy.demo.cast import Member, Role, load
from deploy.demo.layout import Layout
from deploy.demo.reports import Ended, Enrolled, Failed, Ready, Reporter, Sent
from deploy.demo.training import local_trainer
from deploy.demo.vanishing import VanishingTransport
from fluvial.edge.events import Event, Interrupted, Published
from fluvial.edge.packages import Packages
from fluvial.edge.participant import Participant
from fluvial.edge.participation import Train
from fluvial.edge.training.task_code import TaskCode
from fluvial.edge.upload import WINDOW_BYTES
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Transport, connect
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Round
from fluvial.wire.task_file import TaskFile

_POLL_SECONDS = 0.05
_ENROL_SECONDS = 150.0
_log = logger(__name__)


class Company:
    """The members that this process plays."""

    def __init__(
        self, layout: Layout, task_file: TaskFile, data: Path, only: str | None, packages: Sequence[Path] = ()
    ) -> None:
        self._layout = layout
        self._task_file = task_file
        self._packages = Packages(packages)
        self._data = data
        self._only = only
        self._reporter = Reporter(layout.reports(only))
        # More at once than there are cores would only share the cores.
        self._turns = threading.Semaphore(os.cpu_count() or 1)

    def run(self) -> None:
        """Until every member has left."""
        self._reporter.report(Ready())
        federation = self._wait_for_the_start()
        members = [member for member in load(self._layout.members.read_text()) if self._plays(member)]
        shared = connect(federation.brokers, "fluvial-demo")
        threads = []
        for member in members:
            own = self._layout.credentials(member.name) / "federation.json"
            seen = Federation.load(own) if own.exists() else federation
            transport = connect(seen.brokers, f"fluvial-{member.name}") if own.exists() else shared
            arguments = member, seen, transport
            threads.append(threading.Thread(target=self._play, args=arguments, name=member.name, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _plays(self, member: Member) -> bool:
        return member.name == self._only if self._only else member.role is not Role.VANISHING

    def _wait_for_the_start(self) -> Federation:
        while not self._layout.federation.exists():
            time.sleep(_POLL_SECONDS)
        return Federation.load(self._layout.federation)

    def _play(self, member: Member, federation: Federation, transport: Transport) -> None:
        try:
            if member.role is Role.FORGER:
                forge(member, self._task_file, federation, transport, self._layout.outboxes, self._reporter)
            else:
                self._take_part(member, federation, transport)
        except Exception as error:
            _log.exception("%s cannot go on", member.name)
            self._reporter.report(Failed(member=member.name, reason=f"{type(error).__name__}: {error}"))
        else:
            self._reporter.report(Ended(member=member.name))

    def _take_part(self, member: Member, federation: Federation, transport: Transport) -> None:
        vanishes = member.role is Role.VANISHING
        if vanishes:
            transport = VanishingTransport(transport, federation.topics, member.name, self._reporter)
        elif member.role is Role.REPLAYER:
            transport = Replayer(member, federation.topics, transport, self._reporter)
        with Participant(
            federation,
            member.name,
            _key(self._layout.key(member.name)),
            self._layout.outbox(member.name),
            transport,
            # One chunk at a time, so that the upload has a middle.
            window_bytes=1 if vanishes else WINDOW_BYTES,
        ) as participant:
            agreement = self._task_file.agreement
            participant.enrol(member.token, [agreement.name] if agreement else [], timeout=_ENROL_SECONDS)
            self._reporter.report(Enrolled(member=member.name))
            if isinstance(transport, VanishingTransport):
                transport.arm(participant.outbox, self._task_file)

            def on_event(event: Event) -> None:
                if isinstance(event, Published):
                    self._report_sent(member, event)
                elif isinstance(event, Interrupted):
                    _log.warning("%s: %s", member.name, event.reason)
                if isinstance(transport, Replayer):
                    transport.on_event(event)

            participant.participate(self._task_file.task, self._trainer(member), on_event=on_event)

    def _report_sent(self, member: Member, event: Published) -> None:
        self._reporter.report(
            Sent(
                member=member.name,
                kind="own",
                round=event.round,
                partition=event.partition,
                offset=event.offset,
                num_uploaded=event.num_uploaded,
            )
        )

    def _trainer(self, member: Member) -> Train:
        trainers: list[Train] = []

        def train(base_D: NDArray[np.float32], round_: Round) -> tuple[NDArray[np.float32], int] | None:
            with self._turns:
                if not trainers:
                    code = TaskCode.of(self._task_file, self._packages)
                    trainers.append(local_trainer(code, self._data, member.group))
                return trainers[0](base_D, round_)

        return poisoned(train) if member.role is Role.POISONER else train


def _key(path: Path) -> SigningKey:
    if not path.exists():
        SigningKey.generate().save(path)
    return SigningKey.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Play participants of the demonstration.")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--task-file", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--package", type=Path, action="append", default=[])
    parser.add_argument("--only", help="play this member alone")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(threadName)s %(levelname)s %(message)s")
    task_file = TaskFile.read(arguments.task_file)
    layout = Layout(arguments.directory)
    try:
        Company(layout, task_file, arguments.data, arguments.only, arguments.package).run()
    except FluvialError as error:
        raise SystemExit(f"error: {error}") from error
