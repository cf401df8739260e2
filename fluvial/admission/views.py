"""What the gate may look up. Each is answered by a dict in tests and by Flink state in the validation job.

The gate only reads. What a view returns is trusted: whoever stands behind it has verified the registry's and the
rounds' signatures. A view that knows nothing returns None, and nothing passes.
"""

from __future__ import annotations

from typing import Protocol

from fluvial.wire.records import Agreement, Participant, Round, Task


class AgreementsView(Protocol):
    """The registered agreements."""

    def agreement(self, agreement: str, /) -> Agreement | None: ...

    def agreement_sha(self, agreement: str, /) -> bytes | None:
        """SHA-256 of the agreement's signed payload, 32 bytes: what a participant signs."""


class RegistryView(AgreementsView, Protocol):
    """The verified registry."""

    def participant(self, participant: str, /) -> Participant | None: ...

    def task(self, task: str, /) -> Task | None: ...


class RoundsView(Protocol):
    """The verified rounds."""

    def current(self, task: str, /) -> Round | None:
        """The newest round of the task, open or finished."""

    def opened(self, task: str, round: int, /) -> Round | None:
        """The last attempt heard of that round, which is the newest or at most its `max_staleness` rounds older."""


class SeenView(Protocol):
    """What was accepted from each participant. Asked of good signatures alone: whoever invents names must not push
    others out of memory.

    Bounded: it may forget rounds so old that the freshness check refuses them.
    """

    def accepted(self, participant: str, task: str, round: int, attempt: int, /) -> bytes | None:
        """SHA-256 of the record accepted for this attempt of the round, 32 bytes."""

    def accepted_in_round(self, participant: str, task: str, round: int, /) -> bool:
        """Whether a record was accepted for any attempt of the round."""

    def digest_seen(self, participant: str, record_sha256: bytes, /) -> bool:
        """Whether a record with these very bytes was accepted."""

    def num_failures(self, participant: str, task: str, round: int, /) -> int:
        """How many updates for the round were refused for their evidence."""
