"""What is checked when the rounds are over, with nothing but the topics and federation.json: replay and audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from deploy.demo.summary import Audited
from fluvial.auditor.reader import audited_topics
from fluvial.auditor.verify import verify
from fluvial.identity.federation import Federation
from fluvial.kafka import connect, snapshot
from fluvial.wire.errors import FluvialError
from pipelines.replay import KafkaLog, replay
from pipelines.replay.task import initial_model

BIT_EXACT = "bit-exact"
_AUDIT_SECONDS = 20.0
_NUM_PROBLEMS = 5


def replayed(federation: Federation, task: str, version: int) -> str:
    """Compute a version again from the log: "bit-exact", or what differs."""
    with closing(connect(federation.brokers, "fluvial-demo-replay")) as transport:
        try:
            result = replay(
                KafkaLog(transport, federation), task, version, initial=partial(initial_model, transport, federation)
            )
        except FluvialError as error:
            return f"not possible: {error}"
    return BIT_EXACT if result.bit_exact else "; ".join(result.differs)


def audited(federation: Federation, check_processes: Callable[[], None]) -> Audited:
    """Audit until the newest events are under a signed tree head, or it is time to say that they are not.

    check_processes: called between two audits; raises when there is nothing left to wait for.
    """
    deadline = time.monotonic() + _AUDIT_SECONDS
    while True:
        check_processes()
        with snapshot(federation.brokers, audited_topics(federation.topics), "fluvial-demo-audit") as reader:
            report = verify(reader, federation)
        if report.num_pending == 0 or time.monotonic() > deadline:
            break
    problems = [f"{problem.where} {problem.message}" for problem in report.problems[:_NUM_PROBLEMS]]
    if report.num_pending:
        problems.append(f"{report.num_pending} records have nothing yet that vouches for them")
    return Audited(
        verified=report.verified and report.num_pending == 0,
        size=report.signed_size,
        root=report.signed_root,
        problems=tuple(problems),
    )
