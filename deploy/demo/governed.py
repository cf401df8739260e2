"""What the demonstration checks of its decisions: a participant measures for itself, and all are computed again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fluvial.edge.mailbox import Mailbox
from fluvial.edge.measuring import Measuring, OwnData
from fluvial.edge.registry import Registry
from fluvial.edge.training.data_files import load_participant
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Start, connect, read_all
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode
from fluvial.wire.records import Decision, Verdict
from fluvial.wire.task_file import TaskFile
from governance.promotion.evidence import missing_numbers
from governance.promotion.recomputation import differences
from pipelines.replay.decisions import read_evidence

_VERDICT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """admitted: variants of which the participant's own measurement was. decisions: computed again. scored: accepted
    updates whose verdict carries scores of the canary set. problems: what was refused, and where a decision does not
    follow from its evidence."""

    admitted: int
    decisions: int
    scored: int
    problems: tuple[str, ...]


def govern(
    federation: Federation,
    seen: Federation,
    name: str,
    key: SigningKey,
    task: str,
    data: Path,
    group: int,
    version: int,
) -> Governed:
    """Let a participant measure a version's variants on its own clients, then compute every decision again.

    seen: the federation as the participant connects to it. data, group: its examples; their labels are not looked at.
    """
    problems: list[str] = []
    admitted = 0
    with closing(connect(seen.brokers, f"fluvial-{name}-measures")) as transport:
        with closing(Registry(transport, seen)) as registry:
            registry.refresh()
            record = registry.task(task)
        if record is None:
            raise FluvialError(f"the registry has no task {task}")
        with closing(Mailbox(transport, seen.topics, name, Start.END)) as mailbox:
            own = OwnData(inputs=load_participant(data, group).inputs)
            for sent in Measuring(transport, seen, name, key, record).measure(own, version):
                verdict = mailbox.verdict_at(seen.topics.reports, sent.position, _VERDICT_SECONDS)
                if verdict is not None and verdict.decision is Decision.ACCEPT:
                    admitted += 1
                else:
                    why = "no verdict" if verdict is None else verdict.reason.value
                    problems.append(f"{name}'s measurement of {sent.measurement.variant}: {why}")
    with closing(connect(federation.brokers, "fluvial-demo-decisions")) as transport:
        evidence = read_evidence(transport, federation, task)
        verdicts = read_all(transport, federation.topics.verdicts, _VERDICT_SECONDS)
        judged = [decode(message.value or b"", Verdict) for message in verdicts]
    scored = sum(bool(verdict.scores) for verdict in judged if verdict.decision is Decision.ACCEPT)
    if not scored and TaskFile.model_validate_json(record.specification).scoring is not None:
        problems.append("no candidate was scored")
    problems += [f"decision {number} is missing" for number in missing_numbers(evidence.decisions)]
    for number, decision in sorted(evidence.decisions.items()):
        problems += [f"decision {number}: {difference}" for difference in differences(decision, evidence)]
    return Governed(admitted=admitted, decisions=len(evidence.decisions), scored=scored, problems=tuple(problems))
