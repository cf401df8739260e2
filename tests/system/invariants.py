"""What every system test ends with: the history that it made keeps the invariants (`fluvial.auditor.history`)."""

from fluvial.auditor.check_history import check_history
from fluvial.auditor.reader import audited_topics
from fluvial.identity.federation import Federation
from fluvial.kafka import snapshot


def assert_invariants(federation: Federation) -> None:
    """Of a federation whose newest records may still be under way."""
    with snapshot(federation.brokers, audited_topics(federation.topics), "test-history") as reader:
        report = check_history(reader, federation, is_running=True)
    assert not report.violations, [str(violation) for violation in report.violations[:10]]
