"""Step 11, evidence: what a verdict waits for beyond the record itself.

A kind of evidence is gathered beside the operator, for many records at once: the content check reads and inspects the
tensors; a score by inference would apply the delta and ask what the model has become. Whoever waits for a verdict
submits the record to each kind in turn, looks from time to time whether it is ready, and settles it; what is in hand is
told at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fluvial.admission.judgement import NeedsEvidence, Place
from fluvial.wire.quick_init import quick_init
from fluvial.wire.records import Reason, Score


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one kind of evidence says of one record.

    fault: the reason to refuse the record, or to hold it where `GatePolicy.quarantined` says so; None speaks for it.
    norm: L2 norm of the delta, max_abs: its largest absolute element; 0 where not measured. scores: other measures, by
    name.
    """

    fault: Reason | None = None
    norm: float = 0.0
    max_abs: float = 0.0
    scores: tuple[Score, ...] = ()


class Evidence(Protocol):
    """One kind of evidence. Called by the operator's thread, which none of these may keep waiting.

    What is under way is memory only: after a restart the records are submitted again. Findings are a function of the
    record and the log alone, whatever was read first, so that a repeated judgement gives the same bits.
    """

    def at_once(self, needs: NeedsEvidence) -> Finding | None:
        """The finding on a record of which there is nothing to gather; None for one to `submit`."""

    def submit(self, needs: NeedsEvidence) -> None:
        """Begin to gather. The record's place must not be under way."""

    def ready(self, place: Place) -> bool:
        """Whether `settle` has an answer."""

    def settle(self, place: Place) -> Finding:
        """The finding; nothing of the record is kept. Raises what went wrong in gathering it, which is a bug."""

    def withdraw(self, place: Place) -> None:
        """Forget a record that is refused for another reason, whether or not it was submitted."""
