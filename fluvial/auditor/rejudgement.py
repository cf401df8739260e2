"""Takes verdicts again, as far as the log alone decides them, by the functions that the gate itself uses
(`fluvial.admission`): on updates (`rejudged_updates.py`), enrolment requests (`rejudged_requests.py`), measurements
(`rejudged_reports.py`) and what was too much of either (`rejudged_rates.py`).

Stages hear of registry and rounds a moment later, so a verdict is wrong only where no stage could have come to it
(`key_lives.py`). What of refusals rests on what the log does not keep (chunks, tokens, settings) is counted as taken on
trust, by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fluvial.auditor.inputs import Rejudge
from fluvial.auditor.keys import Keys
from fluvial.auditor.log import Log
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.rejudged_rates import RejudgedRates
from fluvial.auditor.rejudged_reports import RejudgedReports
from fluvial.auditor.rejudged_requests import RejudgedRequests
from fluvial.auditor.rejudged_updates import RejudgedUpdates
from fluvial.auditor.rounds import Rounds
from fluvial.wire.records import ModelManifest


class Rejudgement:
    """models: manifests by task and version. tasks: broker time of each task's record in the registry. partitions: of
    topic update-blobs. events_topic: full name. scope: `Topics.scope`.

    update, request, report: why a verdict on a record of topic updates, enrolments, reports cannot be; empty where it
    can."""

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
        scope: str = "",
    ) -> None:
        self.on_trust: Counter[str] = Counter()
        """By reason, refusals that the log alone neither proves nor refutes; OVER_RATE: of what a participant signed,
        because of what was sent under its name; TERMS: terms that became weaker, of which the registry has forgotten
        who signed."""
        shared = keys, self.on_trust, scope
        self._rates = RejudgedRates(*shared)
        lacks_rounds = any(gap.topic == events_topic for gap in log.gaps)
        updates = RejudgedUpdates(
            *shared, self._rates, log, rounds, models, tasks, partitions=partitions, lacks_rounds=lacks_rounds
        )
        self.update: Rejudge = updates.update
        self.request: Rejudge = RejudgedRequests(*shared, log.judged).request
        self.report: Rejudge = RejudgedReports(*shared, self._rates, log.judged).report

    def note(self, record: TopicRecord) -> None:
        """To be called with each record of a topic of inputs, judged or not, before it is rejudged."""
        self._rates.note(record)
