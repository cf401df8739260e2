"""What can go wrong at the edge. The tree, continuing that of fluvial.wire.errors:

    FluvialError
    ├── Refused
    │   ├── EnrolmentRejected       validation refused the enrolment; holds the verdict
    │   └── NotEnrolled             the registry has nobody of this name with this key, or the key was revoked
    ├── TransportUnavailable
    │   └── NotProvenYet            no signed leaf tells of a model yet (retriable)
    ├── EnrolmentTimeout            neither a participant record nor a verdict came in time (retriable)
    ├── TrainingFailed              training came to nothing that could be published: a loss that is no number
    └── OutboxUnavailable           another process has the outbox open, it is another participant's, or its file
                                    cannot be used: damaged, not writable, no room

The caller's mistake is a ValueError.
"""

from typing import ClassVar

from fluvial.edge.advice import advice
from fluvial.kafka.errors import TransportUnavailable
from fluvial.wire.errors import FluvialError, Refused
from fluvial.wire.records import Verdict


class TrainingFailed(FluvialError):
    """Training came to nothing that could be published; the message says why. The round goes on without."""


class OutboxUnavailable(FluvialError):
    """The outbox cannot be opened, read or written; the message says why."""


class EnrolmentRejected(Refused):
    """Validation refused the enrolment. verdict: the decision, with its reason."""

    def __init__(self, verdict: Verdict) -> None:
        why = f" ({found})" if (found := advice(verdict)) else ""
        super().__init__(f"the enrolment of {verdict.participant} was refused: {verdict.reason.value}{why}")
        self.verdict = verdict


class NotEnrolled(Refused):
    """Whatever this participant sends would be refused: the registry has its name with no key, another, or a revoked
    one."""


class EnrolmentTimeout(FluvialError):
    """No answer yet; the request is in the log and may still be answered."""

    retriable: ClassVar[bool] = True


class NotProvenYet(TransportUnavailable):
    """No signed leaf of the audit log tells of a model yet. The stages may be behind: it may come."""
