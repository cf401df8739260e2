"""What every system test ends with: the history that it made keeps the invariants (`fluvial.auditor.history`)."""

import time
from collections.abc import Sequence

from fluvial.auditor.check_history import check_history
from fluvial.auditor.happened import Violation
from fluvial.auditor.reader import audited_topics
from fluvial.identity.federation import Federation
from fluvial.kafka import snapshot

_SECONDS = 30.0


def assert_invariants(federation: Federation) -> None:
    """Of a federation whose newest records may still be under way: a model is there before the leaves of its receipts.
    What contradicts the invariants stays; what was only on its way comes."""
    deadline = time.monotonic() + _SECONDS
    while violations := _violations(federation):
        assert time.monotonic() < deadline, [str(violation) for violation in violations[:10]]
        time.sleep(0.2)


def _violations(federation: Federation) -> Sequence[Violation]:
    with snapshot(federation.brokers, audited_topics(federation.topics), "test-history") as reader:
        return check_history(reader, federation, is_running=True).violations
