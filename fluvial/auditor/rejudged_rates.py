"""Takes refusals of what was too much again: whether so much was sent that a gate may have refused the record."""

from __future__ import annotations

from collections import Counter, defaultdict

from fluvial.admission.case import Case, claimed_name
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import check_routing
from fluvial.admission.rates import WINDOW_MS, Sent
from fluvial.auditor.key_lives import HEARD_MS
from fluvial.auditor.keys import Keys
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.rejudged import NAMELESS, Rejudged, names
from fluvial.wire.records import Verdict

_MOST_LOOKED_AT = 10_000
"""Signatures that are checked of what was refused as too much: a flood has a million records."""


class RejudgedRates(Rejudged):
    """Counts what each name has sent."""

    def __init__(self, keys: Keys, on_trust: Counter[str], scope: str) -> None:
        super().__init__(keys, on_trust, scope)
        self._sent: dict[str, Sent] = defaultdict(Sent)
        self._first: dict[tuple[str, int], TopicRecord] = {}
        self._looked_at = 0

    def note(self, record: TopicRecord) -> None:
        """To be called with each record of a topic of inputs, judged or not, before it is rejudged."""
        name, length = claimed_name(record.key), len(record.value or b"")
        self._first.setdefault((record.topic, record.partition), record)
        self._sent[record.topic].add(record.partition, name, length, record.timestamp_ms)

    def refused(self, case: Case, verdict: Verdict) -> str:
        """Why a record cannot have been refused as OVER_RATE; empty where it can. A name that the gate may not have
        heard of yet counts among those that nobody has."""
        source, sent = case.source, self._sent[case.source.topic]
        if names(verdict) != NAMELESS:
            return "was refused as OVER_RATE, unopened, yet its verdict says what is in it"
        is_known = any(life.known_ms + HEARD_MS < source.timestamp_ms for life in self._keys.of(case.claimed))
        name = case.claimed if is_known else ""
        if sent.may_be_too_much(source.partition, name):
            # Whoever may write under a name may use up its share: what its owner signed is told, not condemned.
            if name and self._looked_at < _MOST_LOOKED_AT and not (open_envelope(case) or check_routing(case)):
                self._looked_at += 1
                if self._signers(case):
                    self._trust(verdict)
            return ""
        first = self._first[source.topic, source.partition]
        if first.offset > 0 and source.timestamp_ms - first.timestamp_ms < WINDOW_MS:
            # What retention took may have been the reason.
            self._trust(verdict)
            return ""
        return f"was refused as OVER_RATE, but {name or 'those who are not enrolled'} had sent little"
