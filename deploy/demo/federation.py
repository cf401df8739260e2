"""One run of the demonstration: the stack, the jobs, the participants, and what is checked when the rounds are over.

Broker and job have begun (`deploy.demo.beginning`). When the job is under way, one process imports torch for
participants and baseline. Whatever ends the run, no process of it outlives it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from deploy.acts.access import grant_access
from deploy.demo.asking import Asked, Asking
from deploy.demo.asking import shortfalls_of as asked_shortfalls
from deploy.demo.beginning import Beginning
from deploy.demo.cast import Member, Role, cast, dump
from deploy.demo.checks import audited, replayed
from deploy.demo.children import Child, Children, how_it_ended
from deploy.demo.errors import DemoFailed, tail
from deploy.demo.example import Example
from deploy.demo.governed import Governed, govern
from deploy.demo.groups import ByGroup, from_dicts
from deploy.demo.layout import Layout
from deploy.demo.ledger import Ledger
from deploy.demo.observer import Observer
from deploy.demo.outcome import breaches, outcomes
from deploy.demo.progress import Progress
from deploy.demo.reports import Ended, Enrolled, Failed, Ready, Report, ReportReader, Sent, Stuck
from deploy.demo.summary import Audited, Summary
from deploy.demo.variants import VariantObserver, VariantRow, shortfalls_of
from deploy.demo.variants_page import page
from deploy.machine.jars import CHECKOUT
from fluvial.cli.interruption import uninterrupted
from fluvial.edge.metrics import Measured
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Transport, connect
from fluvial.registry.acts import OperatorActs
from fluvial.wire.files import replace_file, write_private

_MODULES = ("deploy.demo.participants", "deploy.demo.central")
"""What the run's processes are; each of them needs torch."""

_OPENING = "deploy.demo.opening"
"""What creates a task whose first model is a package's."""

_START_SECONDS = 150.0
_SETTLE_SECONDS = 60.0
_BASELINE_SECONDS = 300.0
_VARIANTS_SECONDS = 180.0
_POLL_SECONDS = 0.15


class Run:
    """A run in a directory. Use once, from the main thread: `run` returns the summary or raises DemoFailed."""

    def __init__(self, example: Example, begun: Beginning, progress: Progress, *, accelerate: bool = False) -> None:
        """begun: of the same example, with the stages for it. accelerate: build, measure and promote variants, too; the
        task says which."""
        self._spec = example.task_file.acceleration if accelerate else None
        self._example = example
        self._root = begun.root
        self._layout = Layout(begun.root / "demo")
        self._progress = progress
        modules = (*_MODULES, _OPENING) if example.packages else _MODULES
        self._children = Children(modules, self._layout.log("forking"))
        self._stack, self._job, self._is_secure = begun.stack, begun.job, begun.is_secure
        self._members: list[Member] = cast(example.names)
        # A round closes as soon as everyone has delivered whose updates can count; the quorum is the task's own.
        num_counting = sum(member.counts for member in self._members)
        self._task_file = example.task_file.model_copy(update={"target": max(num_counting, example.task_file.quorum)})
        self._enrolled: set[str] = set()
        self._promoted: set[tuple[int, str]] = set()
        self._sent: list[Sent] = []
        self._stuck: dict[str, Stuck] = {}
        self._vanishing: Child | None = None
        self._reports = [ReportReader(self._layout.reports(name)) for name in (None, self._vanishing_member.name)]

    @property
    def _vanishing_member(self) -> Member:
        return next(member for member in self._members if member.role is Role.VANISHING)

    @property
    def variants_page(self) -> Path:
        """The page of the last model's variants, where there are any."""
        return self._layout.variants_page

    def run(self) -> Summary:
        """Everything, to the summary. Raises DemoFailed, StackError, FluvialError."""
        self._layout.outboxes.mkdir(parents=True)
        replace_file(self._layout.task_file, self._task_file.model_dump_json(indent=1))
        with ExitStack() as shield, ExitStack() as ends:
            try:
                return self._run(ends)
            finally:
                # From here on a second Ctrl-C does not keep us from ending what we started.
                shield.enter_context(uninterrupted())

    def _run(self, ends: ExitStack) -> Summary:
        self._progress.begin("starting broker, job and participants")
        self._stack.start()
        self._job.start()
        ends.enter_context(self._children)
        self._start_participants()
        federation = self._stack.federation
        transport = connect(federation.brokers, "fluvial-demo")
        ends.callback(transport.close)
        ledger = Ledger(task=self._task_file.task, updates_topic=federation.topics.updates)
        observer = ends.enter_context(Observer(federation, transport, ledger))
        self._open_for_participants(transport)
        variants = None
        if self._spec is not None:
            variants = VariantObserver(federation, transport, self._task_file.task, self._spec)
            ends.callback(variants.close)
        self._enrol(observer, ledger)
        asking = self._start_asking() if self._spec is not None else None
        if asking is not None:
            ends.callback(asking.stop)
        self._play_rounds(observer, ledger)
        central = self._await_baseline(observer, ledger)
        self._progress.begin("replaying the last version")
        replay = replayed(federation, ledger.task, ledger.last_version)
        rows = self._await_variants(observer, ledger, variants, asking) if variants and asking else ()
        governed = self._govern(ledger) if variants else None
        self._progress.begin("auditing")
        audit = audited(federation, self._check_processes)
        self._progress.end()
        return self._summary(ledger, central, replay, audit, rows, asking.stop() if asking else None, governed)

    def _start_participants(self) -> None:
        self._start_company(None)
        self._vanishing = self._start_company(self._vanishing_member.name)
        self._children.start(
            "the central baseline",
            "deploy.demo.central",
            [
                *self._task_arguments(),
                "--participants",
                str(len(self._example.names)),
                "--out",
                str(self._layout.baseline),
            ],
            self._layout.log("central"),
        )

    def _start_company(self, only: str | None) -> Child:
        return self._children.start(
            f"the process of {only}" if only else "the participants' process",
            "deploy.demo.participants",
            ["--directory", str(self._layout.directory), *self._task_arguments(), *(["--only", only] if only else [])],
            self._layout.log(only or "participants"),
        )

    def _task_arguments(self) -> list[str]:
        files = ["--task-file", str(self._layout.task_file), "--data", str(self._example.data)]
        return [*files, *self._package_arguments()]

    def _package_arguments(self) -> list[str]:
        return [part for folder in self._example.packages for part in ("--package", str(folder))]

    def _begin_task(self, transport: Transport) -> Child | None:
        """Creates the task; by a process that has torch, which is returned, where its first model is a package's."""
        if self._example.packages:
            files = ["--root", str(self._root), "--task-file", str(self._layout.task_file)]
            return self._children.start(
                "the creation of the task",
                _OPENING,
                [*files, *self._package_arguments()],
                self._layout.log("opening"),
            )
        from deploy.acts.tasks import create_task  # late: job and participants are getting ready meanwhile

        create_task(self._stack.federation, self._stack.keys, self._task_file, connected=transport)
        return None

    def _open_for_participants(self, transport: Transport) -> None:
        """Create the task, hand out tokens, and give the signal to start."""
        opening = self._begin_task(transport)
        federation, keys = self._stack.federation, self._stack.keys
        names = [member.name for member in self._members if member.enrols]
        tokens = OperatorActs(transport, federation, keys.operator).issue_tokens(names)
        self._members = [replace(member, token=tokens.get(member.name, "")) for member in self._members]
        write_private(self._layout.members, dump(self._members).encode())
        if self._is_secure:
            for member in self._members:
                folder, asks = self._layout.credentials(member.name), member is self._members[0]
                grant_access(self._stack.directory, member.name, folder, valid_days=1, asks=asks)
        while opening is not None and not opening.ended:
            self._check_processes()
            time.sleep(_POLL_SECONDS)
        self._check_processes()
        federation.save(self._layout.federation)  # last, and in one step: it is the signal

    def _enrol(self, observer: Observer, ledger: Ledger) -> None:
        names = {member.name for member in self._members if member.enrols}
        self._progress.begin("enrolling participants")
        self._wait(
            observer, ledger, lambda: names <= self._enrolled, _START_SECONDS, "the enrolment of all participants"
        )
        self._progress.say(f"{len(names)} participants enrolled, {len(self._members) - len(names)} without enrolling")

    def _start_asking(self) -> Asking:
        """The first bank asks the federation's model from now on."""
        assert self._spec is not None
        name = self._members[0].name
        key = SigningKey.load(self._layout.key(name))
        gate = CHECKOUT / self._spec.gate
        own = self._layout.credentials(name) / "federation.json"
        federation = Federation.load(own) if own.exists() else self._stack.federation
        asking = Asking(federation, name, key, self._task_file.task, gate)
        asking.start()
        return asking

    def _play_rounds(self, observer: Observer, ledger: Ledger) -> None:
        self._progress.begin("running the rounds")
        # A round may fail and be opened again, so what must not happen is that nothing happens.
        patience = 2 * self._task_file.deadline_seconds + _SETTLE_SECONDS
        self._wait(observer, ledger, lambda: ledger.finished, patience, "the end of the rounds")
        self._progress.begin("waiting for the last receipts")
        self._wait(observer, ledger, lambda: ledger.settled, _SETTLE_SECONDS, "the last receipts and measurements")

    def _await_baseline(self, observer: Observer, ledger: Ledger) -> Measured:
        self._progress.begin("waiting for the central baseline")
        self._wait(observer, ledger, self._layout.baseline.exists, _BASELINE_SECONDS, "the central baseline")
        found = json.loads(self._layout.baseline.read_text())
        return Measured(metrics=found["metrics"], groups=from_dicts(found["groups"]))

    def _await_variants(
        self, observer: Observer, ledger: Ledger, variants: VariantObserver, asking: Asking
    ) -> tuple[VariantRow, ...]:
        """Until something is decided on every variant of the last model, and requests are answered by it."""
        self._progress.begin("measuring variants")
        version = ledger.last_version

        def decided() -> bool:
            variants.poll(_POLL_SECONDS)
            return variants.is_decided(version) and asking.serves() == version

        self._wait(observer, ledger, decided, _VARIANTS_SECONDS, "the variants of the last model")
        rows = tuple(variants.rows(version))
        self._promoted = variants.promoted()
        replace_file(self._layout.variants_page, page(self._task_file.task, version, rows))
        return rows

    def _govern(self, ledger: Ledger) -> Governed:
        """The first bank measures the last model's variants for itself, and every decision is computed again."""
        self._progress.begin("measuring on a bank's own data")
        federation, member = self._stack.federation, self._members[0]
        own = self._layout.credentials(member.name) / "federation.json"
        seen = Federation.load(own) if own.exists() else federation
        key = SigningKey.load(self._layout.key(member.name))
        task, data = self._task_file.task, self._example.data
        return govern(federation, seen, member.name, key, task, data, member.group, ledger.last_version)

    def _wait(self, observer: Observer, ledger: Ledger, done: Callable[[], bool], patience: float, what: str) -> None:
        """Follow the run until `done`. Raises DemoFailed when a process ends, or nothing new comes for `patience` s."""
        deadline = time.monotonic() + patience
        while not done():
            self._check_processes()
            news = observer.poll(_POLL_SECONDS)
            for report in [report for reader in self._reports for report in reader.new()]:
                self._take(report)
                news = True
            self._progress.show(ledger)
            if news:
                deadline = time.monotonic() + patience
            elif time.monotonic() > deadline:
                raise DemoFailed(
                    f"nothing has happened for {patience:.0f} s while waiting for {what}\n{tail(self._job.log)}"
                )
        self._progress.show(ledger)

    def _take(self, report: Report) -> None:
        match report:
            case Enrolled():
                self._enrolled.add(report.member)
            case Sent():
                self._sent.append(report)
            case Stuck():
                self._stuck[report.member] = report
                self._kill_and_start_again(report)
            case Failed():
                raise DemoFailed(f"{report.member} cannot go on: {report.reason}")
            case Ready() | Ended():
                pass

    def _kill_and_start_again(self, stuck: Stuck) -> None:
        assert self._vanishing is not None
        pid = self._vanishing.process.pid
        self._children.kill(self._vanishing)
        where = (
            f"after {stuck.num_acknowledged} of {stuck.num_chunks} chunks"
            if stuck.num_chunks
            else "before its envelope"
        )
        self._progress.say(f"{stuck.member}: process {pid} killed in round {stuck.round} {where}; starting it again")
        self._vanishing = self._start_company(stuck.member)

    def _check_processes(self) -> None:
        self._children.check()
        if self._job.pid is None:
            raise DemoFailed(f"the job's process ended {how_it_ended(self._job.wait())}\n{tail(self._job.log)}")
        if self._stack.broker.pid is None:
            raise DemoFailed(f"the broker ended\n{tail(self._stack.broker.log)}")

    def _summary(
        self,
        ledger: Ledger,
        central: Measured,
        replay: str,
        audit: Audited,
        variants: tuple[VariantRow, ...],
        asked: Asked | None,
        governed: Governed | None,
    ) -> Summary:
        megabytes, seconds = ledger.accepted_bytes() / 1e6, ledger.rounds_seconds()
        return Summary(
            task=self._task_file.task,
            expected_rounds=self._task_file.rounds,
            metrics=self._example.metrics,
            margins=self._example.margins,
            rounds=tuple(ledger.rows()),
            central=central.metrics,
            by_group=ByGroup(
                margins=self._example.group_margins,
                shown=self._example.shown,
                federated=ledger.groups(ledger.last_version),
                central=central.groups,
            ),
            replay=replay,
            audit=audit,
            participants=tuple(outcomes(self._members, ledger, self._sent, self._stuck)),
            breaches=tuple(breaches(ledger, self._sent)),
            phases=self._progress.phases,
            seconds=self._progress.seconds,
            variants=variants,
            variants_missing=tuple(shortfalls_of(variants, self._spec)) if self._spec is not None else (),
            asked=asked,
            governed=governed,
            asked_missing=tuple(asked_shortfalls(asked, self._promoted, ledger.last_version)) if asked else (),
            megabytes=megabytes,
            megabytes_per_second=megabytes / seconds if seconds else 0.0,
        )
