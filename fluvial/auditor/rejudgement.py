"""Takes verdicts again, as far as the log alone decides them, by the functions that the gate itself uses
(`fluvial.admission`).

An accepted record must be what its verdict says, in every field: signed by a key in force, of the type that the topic
takes, for a round that was open, trained from its model, and as the round asks. A refusal must have its reason: nobody
who signed what the round asks for may be refused as if it were not so. Stages hear of registry and rounds a moment
later, so a verdict is wrong only where no stage could have come to it (`keys`). What of refusals rests on what the log
does not keep (chunks, tokens, settings) is counted as taken on trust, by its reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from fluvial.admission.case import Case, claimed_name
from fluvial.admission.decisions import QUARANTINED, decision
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import check_routing
from fluvial.admission.invitation import check_invitation
from fluvial.admission.judgement import Fault, GatePolicy, Source
from fluvial.admission.manifest import check_manifest
from fluvial.admission.payload import find_update
from fluvial.admission.rates import WINDOW_MS, Sent
from fluvial.admission.report import MAX_CLASSES, check_ranges, named, read_report
from fluvial.admission.request import read_request
from fluvial.auditor.keys import HEARD_MS, KeyLife, Keys
from fluvial.auditor.log import Log, source_of
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.round_ends import RoundEnds
from fluvial.auditor.rounds import Rounds
from fluvial.auditor.shelf import Relation, key
from fluvial.identity.envelope import verify_envelope
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import MAX_RECORD_BYTES, version_of
from fluvial.wire.records import (
    Decision,
    Measurement,
    ModelManifest,
    ModelUpdate,
    Reason,
    Round,
    Verdict,
    WindowMode,
)

_OF_THE_BYTES = frozenset(
    {
        Reason.ENVELOPE,
        Reason.NON_CANONICAL,
        Reason.DECODE,
        Reason.PARTICIPANT_MISMATCH,
        Reason.SCHEMA_UNKNOWN,
        Reason.OTHER_FEDERATION,
        Reason.SIGNATURE,
        Reason.KEY_UNKNOWN,
    }
)
"""Reasons that a record has whatever the round is."""
_OF_THE_CONTENT = frozenset(
    {
        Reason.INCOMPLETE,
        Reason.CHUNK_MISMATCH,
        Reason.CHUNK_CLAIMED,
        Reason.NON_FINITE,
        Reason.MAGNITUDE_EXCEEDED,
        Reason.NORM_EXCEEDED,
        Reason.LOW_SCORE,
    }
)
_SAYS_NOTHING_OF_THE_UPDATE = frozenset({Reason.SIZE_LIMIT, Reason.UNHANDLED, Reason.OTHER, Reason.KEY_REVOKED})
_MAX_FAILURES = 3
_MOST_LOOKED_AT = 10_000
"""Signatures that are checked of what was refused as too much: a flood has a million records."""
_NAMELESS = ("", 0, 0, "")
"""Task, round, attempt and id that a verdict names of a record that was not read so far."""


class Rejudgement:
    """models: manifests by task and version. tasks: broker time of each task's record in the registry. partitions: of
    topic update-blobs. events_topic, reports_topic: full names. scope: `Topics.scope`."""

    def __init__(
        self,
        log: Log,
        keys: Keys,
        rounds: Rounds,
        models: Mapping[tuple[str, int], ModelManifest],
        tasks: Mapping[str, int],
        *,
        partitions: int,
        events_topic: str,
        reports_topic: str,
        scope: str = "",
    ) -> None:
        self._log = log
        self._keys = keys
        self._rounds = rounds
        self._models = models
        self._tasks = tasks
        self._policy = GatePolicy(max_record_bytes=MAX_RECORD_BYTES, partitions=partitions, scope=scope)
        self._reports_topic = reports_topic
        self._lacks_rounds = any(gap.topic == events_topic for gap in log.gaps)
        self._sent: dict[str, Sent] = defaultdict(Sent)
        self._first: dict[tuple[str, int], TopicRecord] = {}
        self._looked_at = 0
        self.on_trust: Counter[str] = Counter()
        """By reason, refusals that the log alone neither proves nor refutes; OVER_RATE: of what a participant signed,
        because of what was sent under its name; TERMS: terms that became weaker, of which
        the registry has forgotten who signed."""

    def update(self, record: TopicRecord, verdict: Verdict, sequence: int | None) -> str:
        """Why a verdict on a record of topic updates cannot be; empty where it can."""
        case = _case(record, self._policy.scope)
        if why := _form(verdict, case):
            return why
        if verdict.reason is Reason.OVER_RATE:
            return self._over_rate(case, verdict)
        fault = open_envelope(case) or check_routing(case)
        signers = [] if fault else self._signers(case)
        if verdict.decision is Decision.ACCEPT:
            return self._accepted(case, fault, signers, verdict, sequence)
        if verdict.reason in _SAYS_NOTHING_OF_THE_UPDATE:
            return self._set_aside(case, signers, verdict)
        payload_fault = fault or find_update(case, {}) or _of_another(case)
        if verdict.reason in _OF_THE_BYTES:
            return self._of_the_bytes(case, payload_fault, signers, verdict)
        if payload_fault or not signers:
            return f"was refused as {verdict.reason}, as only a signed update can be, which it is not"
        return _other_fields(verdict, case.signed) or self._refused(case.signed, verdict, sequence)

    def request(self, record: TopicRecord, verdict: Verdict, sequence: int | None) -> str:
        """Why a verdict on a record of topic enrolments cannot be; empty where it can."""
        case = _case(record, self._policy.scope)
        if why := _form(verdict, case):
            return why
        request = read_request(case)
        if (verdict.task, verdict.round, verdict.attempt, verdict.update_id) != ("", 0, 0, ""):
            return "its verdict names a round, which an enrolment has not"
        if verdict.decision is Decision.ACCEPT:
            if isinstance(request, Fault):
                return f"was accepted, but is no enrolment request: {request.reason}"
            if sequence is not None and self._keys.requests.get(verdict.record_sha256) != request.public_key:
                return "was accepted, but neither log nor registry holds what it enrols"
            return ""
        if verdict.reason is Reason.DUPLICATE_IGNORED:
            digest = verdict.record_sha256
            known = sequence is None or digest in self._keys.requests or self._judged.digests.has(digest)
            return "" if known else "was refused as a repeat, but nothing with its bytes was accepted"
        if verdict.reason is Reason.REQUEST_OUTDATED and not isinstance(request, Fault) and sequence is not None:
            is_earlier = request.requested_ms <= self._keys.requested_ms.get(request.participant, 0)
            return "" if is_earlier else "was refused as REQUEST_OUTDATED, but no later request was accepted"
        if verdict.reason in _OF_THE_BYTES:
            in_order = not isinstance(request, Fault)
            return f"was refused as {verdict.reason}, though it is in order" if in_order else ""
        self.on_trust[verdict.reason.value] += 1
        return ""

    def report(self, record: TopicRecord, verdict: Verdict, sequence: int | None) -> str:
        """Why a verdict on a record of topic reports cannot be; empty where it can."""
        case = _case(record, self._policy.scope)
        if why := _form(verdict, case):
            return why
        if verdict.reason is Reason.OVER_RATE:
            return self._over_rate(case, verdict)
        fault = open_envelope(case) or check_routing(case)
        signers = [] if fault else self._signers(case)
        report = fault or read_report(case)
        if verdict.reason in _OF_THE_BYTES:
            return self._of_the_bytes(case, report if isinstance(report, Fault) else None, signers, verdict)
        names = verdict.task, verdict.round, verdict.attempt, verdict.update_id
        if isinstance(report, Fault):
            if verdict.decision is Decision.ACCEPT:
                return f"was accepted, but is no measurement of {verdict.participant}: {report.reason}"
            self.on_trust[verdict.reason.value] += 1
            return "its verdict names a variant, which the record does not" if names != _NAMELESS else ""
        called = report.variant, named(report)
        if names not in (*((report.task, report.version, 0, name) for name in called), _NAMELESS):
            return "its verdict names another variant than was signed"
        if verdict.decision is Decision.ACCEPT:
            return self._admitted(case, report, signers, verdict)
        accepted = self._accepted_of_variant(report)
        match verdict.reason:
            case Reason.DUPLICATE_IGNORED:
                holds = sequence is None or any(verdict.record_sha256 in digests for digests in accepted.values())
            case Reason.EQUIVOCATION:
                others = accepted.get(verdict.update_id or report.variant, set()) - {verdict.record_sha256}
                holds = sequence is None or bool(others) or len(accepted) >= MAX_CLASSES
            case Reason.OUT_OF_RANGE:
                holds = check_ranges(report) is not None
            case _:
                self.on_trust[verdict.reason.value] += 1
                return ""
        return "" if holds else f"was refused as {verdict.reason}, which the log refutes"

    def _admitted(self, case: Case, report: Measurement, signers: list[KeyLife], verdict: Verdict) -> str:
        if not any(life.may_have_signed(case.source.timestamp_ms) for life in signers):
            return f"was accepted, but no key of {verdict.participant} in force signed it"
        if check_ranges(report) is not None:
            return "was accepted, but has numbers that no measurement gives"
        accepted = self._accepted_of_variant(report)
        if len(accepted.get(verdict.update_id or report.variant, set())) > 1:
            return "was accepted, as another of its variant was"
        return "was accepted, on more classes of processors than one may measure" if len(accepted) > MAX_CLASSES else ""

    def note(self, record: TopicRecord) -> None:
        """To be called with each record of a topic of inputs, judged or not, before it is rejudged."""
        name, length = claimed_name(record.key), len(record.value or b"")
        self._first.setdefault((record.topic, record.partition), record)
        self._sent[record.topic].add(record.partition, name, length, record.timestamp_ms)

    def _over_rate(self, case: Case, verdict: Verdict) -> str:
        """A name that the gate may not have heard of yet counts among those that nobody has."""
        source, sent = case.source, self._sent[case.source.topic]
        if (verdict.task, verdict.round, verdict.attempt, verdict.update_id) != _NAMELESS:
            return "was refused as OVER_RATE, unopened, yet its verdict says what is in it"
        is_known = any(life.known_ms + HEARD_MS < source.timestamp_ms for life in self._keys.of(case.claimed))
        name = case.claimed if is_known else ""
        if sent.may_be_too_much(source.partition, name):
            # Whoever may write under a name may use up its share: what its owner signed is told, not condemned.
            if name and self._looked_at < _MOST_LOOKED_AT and not (open_envelope(case) or check_routing(case)):
                self._looked_at += 1
                if self._signers(case):
                    self.on_trust[verdict.reason.value] += 1
            return ""
        first = self._first[source.topic, source.partition]
        if first.offset > 0 and source.timestamp_ms - first.timestamp_ms < WINDOW_MS:
            # What retention took may have been the reason.
            self.on_trust[verdict.reason.value] += 1
            return ""
        return f"was refused as OVER_RATE, but {name or 'those who are not enrolled'} had sent little"

    def _signers(self, case: Case) -> list[KeyLife]:
        return [life for life in self._keys.of(case.claimed) if verify_envelope(case.envelope, life.public_key)]

    def _accepted(
        self, case: Case, fault: Fault | None, signers: list[KeyLife], verdict: Verdict, sequence: int | None
    ) -> str:
        if fault:
            return f"was accepted, but is no envelope of {verdict.participant}: {fault.reason}"
        if not signers:
            return f"was accepted, but is not signed by a key of {verdict.participant}"
        if not any(life.may_have_signed(case.source.timestamp_ms) for life in signers):
            return f"was accepted, but the key of {verdict.participant} that signed it was not in force"
        fault = find_update(case, {}) or _of_another(case)
        if fault:
            return f"was accepted, but is no update of {verdict.participant}: {fault.reason}"
        update = case.signed
        return _other_fields(verdict, update) or self._not_of_its_round(case, signers, sequence)

    def _not_of_its_round(self, case: Case, signers: list[KeyLife], sequence: int | None) -> str:
        update, at_ms = case.signed, case.source.timestamp_ms
        named = f"round {update.round}, attempt {update.attempt} of {update.task}"
        opened = self._log.opened.get((update.task, update.round, update.attempt))
        if opened is None or sequence is None or opened.sequence > sequence:
            lacks = self._lacks_rounds or sequence is None
            return "" if lacks else f"was accepted for {named}, which the log had not opened"
        if not self._is_trained_from(update, opened.record.base_version):
            return f"was accepted, but is not trained from the model of {named}"
        round_ = self._round_of(update)
        if round_ is None:
            return ""
        fault = self._not_as_asked(update, round_)
        if fault:
            return f"was accepted, but is not what {named} asks for: {fault.reason}"
        if round_.agreement and not any(
            life.may_have_agreed(round_.agreement, at_ms, round_.opened_ms) for life in signers
        ):
            return f"was accepted, but {update.participant} has not signed {round_.agreement}, or has withdrawn it"
        return ""

    def _is_trained_from(self, update: ModelUpdate, base_version: int) -> bool:
        if update.base_version != base_version:
            return False
        base = self._models.get((update.task, base_version))
        # The base of a region's sum is its parent's, and stands in the parent's log.
        return base is None or base.partial or base.model_digest == update.base_digest

    def _not_as_asked(self, update: ModelUpdate, round_: Round) -> Fault | None:
        return check_invitation(update, round_) or check_manifest(update, round_, self._policy)

    def _of_the_bytes(self, case: Case, fault: Fault | None, signers: list[KeyLife], verdict: Verdict) -> str:
        if fault or not any(life.was_in_force(case.source.timestamp_ms) for life in signers):
            return ""
        if verdict.reason is Reason.SCHEMA_UNKNOWN and not _is_of_version_1(case):
            # A former release of the gate may not have known it.
            self.on_trust[verdict.reason.value] += 1
            return ""
        return f"was refused as {verdict.reason}, though a key of {verdict.participant} signed it and it is in order"

    def _set_aside(self, case: Case, signers: list[KeyLife], verdict: Verdict) -> str:
        if verdict.reason is Reason.KEY_REVOKED and verdict.participant not in self._keys.revoked:
            return f"was refused as KEY_REVOKED, but no key of {verdict.participant} was revoked"
        if (verdict.task or verdict.update_id) and (find_update(case, {}) or _other_fields(verdict, case.signed)):
            return "its verdict names another update than was signed"
        self.on_trust[verdict.reason.value] += 1
        return ""

    def _refused(self, update: ModelUpdate, verdict: Verdict, sequence: int | None) -> str:
        """A refusal for what other records say. One that has no leaf yet is left for the next audit: nor may they."""
        holds = None if sequence is None else self._holds(update, verdict, sequence)
        if holds is None:
            self.on_trust[verdict.reason.value] += 1
        return f"was refused as {verdict.reason}, which the log refutes" if holds is False else ""

    def _holds(self, update: ModelUpdate, verdict: Verdict, sequence: int) -> bool | None:
        """Whether the reason holds; None where the log does not say."""
        of_round = key(update.participant, update.task, update.round)
        match verdict.reason:
            case Reason.DUPLICATE_IGNORED:
                return self._judged.digests.has(verdict.record_sha256)
            case Reason.EQUIVOCATION:
                return self._judged.accepted.has_other(of_round, verdict.record_sha256)
            case Reason.TOO_MANY_FAILURES:
                return self._judged.failures.count(of_round) >= _MAX_FAILURES
            case Reason.STALE_ROUND:
                return self._is_stale(update, sequence)
            case Reason.TASK_UNKNOWN:
                return _unless_heard(self._tasks.get(update.task), verdict)
            case Reason.ROUND_UNKNOWN:
                opened = self._log.opened.get((update.task, update.round, update.attempt))
                return _unless_heard(opened.timestamp_ms if opened else None, verdict)
            case Reason.WRONG_BASE:
                opened = self._log.opened.get((update.task, update.round, update.attempt))
                if opened is None or (update.task, opened.record.base_version) not in self._models:
                    return None
                return not self._is_trained_from(update, opened.record.base_version)
            case Reason.MANIFEST_MISMATCH | Reason.WEIGHT | Reason.ENCODING | Reason.NOT_INVITED:
                round_ = self._round_of(update)
                return None if round_ is None else self._not_as_asked(update, round_) is not None
            case Reason.AGREEMENT:
                round_ = self._round_of(update)
                return None if round_ is None or round_.agreement else False
            case Reason.AGREEMENT_WITHDRAWN:
                round_ = self._round_of(update)
                return None if round_ is None or self._lacks_rounds else self._had_withdrawn(update.participant, round_)
            case _:
                return None

    def _had_withdrawn(self, participant: str, round_: Round) -> bool:
        lives = self._keys.of(participant)
        return any(life.had_withdrawn(round_.agreement, round_.opened_ms) for life in lives)

    def _round_of(self, update: ModelUpdate) -> Round | None:
        """The round that alone could take the update, where the topic still has it."""
        round_ = self._rounds.signed.get((update.task, update.round, update.attempt))
        return round_ if round_ is not None and round_.window is WindowMode.SYNCHRONOUS else None

    def _is_stale(self, update: ModelUpdate, sequence: int) -> bool:
        """Whether, when the verdict was given, a later round of the task was open, or none: a stage hears of a round
        when its leaf is under way."""
        since = self._round_ends.since(update.task, update.round, update.attempt)
        return self._lacks_rounds or (since is not None and since < sequence)

    @cached_property
    def _round_ends(self) -> RoundEnds:
        return RoundEnds(self._log)

    @cached_property
    def _judged(self) -> _JudgedUpdates:
        return _JudgedUpdates.of(self._log, self._reports_topic)

    def _accepted_of_variant(self, report: Measurement) -> Mapping[str, set[bytes]]:
        """Digests of the measurements of the same variant by the same participant that were accepted, by name."""
        return self._accepted_reports[report.measurer, report.task, report.version, report.variant]

    @cached_property
    def _accepted_reports(self) -> Mapping[tuple[str, str, int, str], dict[str, set[bytes]]]:
        """By participant, task, version and variant."""
        found: dict[tuple[str, str, int, str], dict[str, set[bytes]]] = defaultdict(dict)
        for leaf in self._log.verdicts.each():
            record = leaf.record
            if record.decision is Decision.ACCEPT and record.source_topic == self._reports_topic:
                variant = record.update_id.partition("/")[0]
                names = found[record.participant, record.task, record.round, variant]
                names.setdefault(record.update_id, set()).add(record.record_sha256)
        return found


@dataclass(frozen=True, slots=True)
class _JudgedUpdates:
    """What the leaves say of updates and requests. digests: of the records that were accepted. accepted: the same by
    participant, task and round; failures: places of updates that were refused for their content, by the same."""

    digests: Relation
    accepted: Relation
    failures: Relation

    @classmethod
    def of(cls, log: Log, reports_topic: str) -> Self:
        found = cls(Relation(log.shelf), Relation(log.shelf), Relation(log.shelf))
        for leaf in log.verdicts.each():
            verdict = leaf.record
            of_round = key(verdict.participant, verdict.task, verdict.round)
            if verdict.reason in _OF_THE_CONTENT:
                found.failures.add(of_round, key(*source_of(leaf)))
            if verdict.decision is Decision.ACCEPT and verdict.source_topic != reports_topic:
                found.accepted.add(of_round, verdict.record_sha256)
                found.digests.add(verdict.record_sha256)
        return found


def _unless_heard(since_ms: int | None, verdict: Verdict) -> bool | None:
    """False if what the gate says it had not heard of had stood in the log for so long that it had."""
    return False if since_ms is not None and since_ms + HEARD_MS < verdict.source_timestamp_ms else None


def _case(record: TopicRecord, scope: str) -> Case:
    source = Source(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
    )
    return Case.of(record.value or b"", source, QUARANTINED, scope)


def _form(verdict: Verdict, case: Case) -> str:
    """What is wrong with a verdict whatever the record holds."""
    if verdict.participant != case.claimed:
        return f"its verdict names the participant {verdict.participant!r}, its key {case.claimed!r}"
    usual = decision(verdict.reason)
    refusals = (Decision.REJECT, Decision.QUARANTINE)
    fits = verdict.decision is usual or (verdict.decision in refusals and usual in refusals)
    return "" if fits else f"its verdict decides {verdict.decision} for {verdict.reason}"


def _of_another(case: Case) -> Fault | None:
    mine = case.signed.participant == case.claimed
    return None if mine else Fault(reason=Reason.PARTICIPANT_MISMATCH)


def _other_fields(verdict: Verdict, update: ModelUpdate) -> str:
    judged = verdict.task, verdict.round, verdict.attempt, verdict.update_id
    signed = update.task, update.round, update.attempt, update.update_id
    if judged == signed:
        return ""
    return f"its verdict is on {_name(judged)}, what was signed is {_name(signed)}"


def _name(update: tuple[str, int, int, str]) -> str:
    return f"{update[3]!r} for round {update[1]}, attempt {update[2]} of {update[0]!r}"


def _is_of_version_1(case: Case) -> bool:
    try:
        return str(version_of(case.envelope.payload)) == "ModelUpdate 1"
    except DecodeError:
        return False
