import pytest

from deploy.security.rights import Resource, Role, rights
from fluvial.wire.topics import NAMES, Topics

TOPICS = Topics("study.")
EVERY = {getattr(TOPICS, name) for name in NAMES}


def topics_to(operation: str, role: Role) -> set[str]:
    return {right.name for right in rights(role, TOPICS) if (right.resource, right.operation) == ("TOPIC", operation)}


def test_participants_write_what_they_send_and_nothing_that_decides() -> None:
    sent_by_participants = {TOPICS.enrolments, TOPICS.updates, TOPICS.update_blobs, TOPICS.reports}
    assert topics_to("WRITE", Role.PARTICIPANT) == sent_by_participants


def test_participants_do_not_read_what_others_send() -> None:
    hidden = {TOPICS.updates, TOPICS.update_blobs, TOPICS.enrolments, TOPICS.accepted, TOPICS.events, TOPICS.quarantine}
    assert not topics_to("READ", Role.PARTICIPANT) & hidden


def test_callers_are_participants_that_also_ask() -> None:
    assert topics_to("WRITE", Role.CALLER) - topics_to("WRITE", Role.PARTICIPANT) == {TOPICS.requests}
    assert topics_to("READ", Role.CALLER) - topics_to("READ", Role.PARTICIPANT) == {TOPICS.results}
    assert rights(Role.PARTICIPANT, TOPICS) < rights(Role.CALLER, TOPICS)


def test_jobs_may_do_what_they_do_and_send_nothing_in_the_name_of_others() -> None:
    written = topics_to("WRITE", Role.JOBS)
    assert {TOPICS.verdicts, TOPICS.models, TOPICS.audit, TOPICS.failures, TOPICS.leases, TOPICS.heartbeats} <= written
    assert topics_to("READ", Role.JOBS) == EVERY
    assert not written & topics_to("WRITE", Role.CALLER)


def test_somebody_writes_each_topic() -> None:
    assert set.union(*(topics_to("WRITE", role) for role in Role)) == EVERY


def test_the_auditor_reads_everything_and_writes_nothing() -> None:
    assert topics_to("READ", Role.AUDITOR) == EVERY
    assert not topics_to("WRITE", Role.AUDITOR)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.JOBS}))
def test_transactions_are_the_jobs_alone(role: Role) -> None:
    assert not [right for right in rights(role, TOPICS) if right.resource is Resource.TRANSACTIONAL_ID]


@pytest.mark.parametrize("role", list(Role))
def test_no_right_reaches_beyond_the_federation(role: Role) -> None:
    for right in rights(role, TOPICS):
        if right.resource is Resource.TOPIC:
            assert right.name in EVERY
            assert not right.is_prefix
        elif right.operation != "DESCRIBE":
            assert right.name.startswith(TOPICS.prefix)
