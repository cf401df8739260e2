"""Takes verdicts on updates again.

An accepted update must be what its verdict says, in every field: signed by a key in force, of the type that the topic
takes, for a round that was open, trained from its model, and as the round asks. A refusal must have its reason: nobody
who signed what the round asks for may be refused as if it were not so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property

from fluvial.admission.case import Case
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import check_routing
from fluvial.admission.invitation import check_invitation
from fluvial.admission.judgement import Fault, GatePolicy
from fluvial.admission.manifest import check_manifest
from fluvial.admission.payload import find_update
from fluvial.auditor.key_lives import KeyLife
from fluvial.auditor.keys import Keys
from fluvial.auditor.log import Log
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.rejudged import NAMELESS, OF_THE_BYTES, Rejudged, case_of, form, names, unless_heard
from fluvial.auditor.rejudged_rates import RejudgedRates
from fluvial.auditor.round_ends import RoundEnds
from fluvial.auditor.rounds import Rounds
from fluvial.wire.framing import MAX_RECORD_BYTES
from fluvial.wire.records import Decision, ModelManifest, ModelUpdate, Reason, Round, Verdict, WindowMode

_SAYS_NOTHING_OF_THE_UPDATE = frozenset({Reason.SIZE_LIMIT, Reason.UNHANDLED, Reason.OTHER, Reason.KEY_REVOKED})
_MAX_FAILURES = 3


class RejudgedUpdates(Rejudged):
    """rates: takes what was too much. models: manifests by task and version. tasks: broker time of each task's record
    in the registry. partitions: of topic update-blobs. lacks_rounds: whether retention took what tells of rounds."""

    def __init__(
        self,
        keys: Keys,
        on_trust: Counter[str],
        scope: str,
        rates: RejudgedRates,
        log: Log,
        rounds: Rounds,
        models: Mapping[tuple[str, int], ModelManifest],
        tasks: Mapping[str, int],
        *,
        partitions: int,
        lacks_rounds: bool,
    ) -> None:
        super().__init__(keys, on_trust, scope)
        self._rates, self._log, self._rounds, self._models, self._tasks = rates, log, rounds, models, tasks
        self._policy = GatePolicy(max_record_bytes=MAX_RECORD_BYTES, partitions=partitions, scope=scope)
        self._lacks_rounds = lacks_rounds

    def update(self, record: TopicRecord, verdict: Verdict, sequence: int | None) -> str:
        """Why a verdict on a record of topic updates cannot be; empty where it can."""
        case = case_of(record, self._scope)
        if why := form(verdict, case):
            return why
        if verdict.reason is Reason.OVER_RATE:
            return self._rates.refused(case, verdict)
        fault = open_envelope(case) or check_routing(case)
        signers = [] if fault else self._signers(case)
        if verdict.decision is Decision.ACCEPT:
            return self._accepted(case, fault, signers, verdict, sequence)
        if verdict.reason in _SAYS_NOTHING_OF_THE_UPDATE:
            return self._set_aside(case, signers, verdict)
        payload_fault = fault or find_update(case, {}) or _of_another(case)
        if verdict.reason in OF_THE_BYTES:
            told = case.update if verdict.reason is Reason.PARTICIPANT_MISMATCH else None
            return _invented(verdict, told) or self._of_the_bytes(case, payload_fault, signers, verdict)
        if payload_fault or not signers:
            return f"was refused as {verdict.reason}, as only a signed update can be, which it is not"
        return _other_fields(verdict, case.signed) or self._refused(case.signed, verdict, sequence)

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

    def _set_aside(self, case: Case, signers: list[KeyLife], verdict: Verdict) -> str:
        if verdict.reason is Reason.KEY_REVOKED and not self._keys.owner(verdict.participant).is_revoked:
            return f"was refused as KEY_REVOKED, but no key of {verdict.participant} was revoked"
        if (verdict.task or verdict.update_id) and (find_update(case, {}) or _other_fields(verdict, case.signed)):
            return "its verdict names another update than was signed"
        self._trust(verdict)
        return ""

    def _refused(self, update: ModelUpdate, verdict: Verdict, sequence: int | None) -> str:
        """A refusal for what other records say. One that has no leaf yet is left for the next audit: nor may they."""
        holds = None if sequence is None else self._holds(update, verdict, sequence)
        if holds is None:
            self._trust(verdict)
        return f"was refused as {verdict.reason}, which the log refutes" if holds is False else ""

    def _holds(self, update: ModelUpdate, verdict: Verdict, sequence: int) -> bool | None:
        """Whether the reason holds; None where the log does not say."""
        match verdict.reason:
            case Reason.DUPLICATE_IGNORED:
                return self._log.judged.has_accepted(verdict.source_topic, verdict.record_sha256)
            case Reason.EQUIVOCATION:
                return self._log.judged.has_accepted_another(verdict)
            case Reason.TOO_MANY_FAILURES:
                return self._log.judged.num_failures(verdict) >= _MAX_FAILURES
            case Reason.STALE_ROUND:
                return self._is_stale(update, sequence)
            case Reason.TASK_UNKNOWN:
                return unless_heard(self._tasks.get(update.task), verdict)
            case Reason.ROUND_UNKNOWN:
                opened = self._log.opened.get((update.task, update.round, update.attempt))
                return unless_heard(opened.timestamp_ms if opened else None, verdict)
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


def _of_another(case: Case) -> Fault | None:
    mine = case.signed.participant == case.claimed
    return None if mine else Fault(reason=Reason.PARTICIPANT_MISMATCH)


def _invented(verdict: Verdict, update: ModelUpdate | None) -> str:
    """What a verdict that need name no update names and should not. update: the one that the gate may have read."""
    if names(verdict) == NAMELESS:
        return ""
    return f"its verdict names an update, yet is {verdict.reason}" if update is None else _other_fields(verdict, update)


def _other_fields(verdict: Verdict, update: ModelUpdate) -> str:
    judged = names(verdict)
    signed = update.task, update.round, update.attempt, update.update_id
    if judged == signed:
        return ""
    return f"its verdict is on {_name(judged)}, what was signed is {_name(signed)}"


def _name(update: tuple[str, int, int, str]) -> str:
    return f"{update[3]!r} for round {update[1]}, attempt {update[2]} of {update[0]!r}"
