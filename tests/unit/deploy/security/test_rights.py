import pytest

from deploy.security.rights import Resource, Role, rights
from fluvial.wire.topics import NAMES, Topics
from pipelines.topology import OF_EVERY_STAGE, STAGES

TOPICS = Topics("study.")
EVERY = {getattr(TOPICS, name) for name in NAMES}


def topics_to(operation: str, role: Role) -> set[str]:
    return {right.name for right in rights(role, TOPICS) if (right.resource, right.operation) == ("TOPIC", operation)}


def test_participants_write_what_they_send_and_nothing_that_decides() -> None:
    sent_by_participants = {TOPICS.enrolments, TOPICS.updates, TOPICS.update_blobs, TOPICS.measurements}
    assert topics_to("WRITE", Role.PARTICIPANT) == sent_by_participants


def test_participants_do_not_read_what_others_send() -> None:
    hidden = {TOPICS.updates, TOPICS.update_blobs, TOPICS.enrolments, TOPICS.accepted, TOPICS.events, TOPICS.quarantine}
    assert not topics_to("READ", Role.PARTICIPANT) & hidden


def test_jobs_may_do_what_their_stages_do() -> None:
    written = {getattr(TOPICS, name) for stage in STAGES.values() for name in (*stage.writes, *OF_EVERY_STAGE)}
    assert written <= topics_to("WRITE", Role.JOBS)
    assert topics_to("READ", Role.JOBS) == EVERY
    # Measurements are signed by whoever measured, a participant or the cluster.
    assert topics_to("WRITE", Role.JOBS) & topics_to("WRITE", Role.PARTICIPANT) == {TOPICS.measurements}


def test_the_auditor_reads_everything_and_writes_nothing() -> None:
    assert topics_to("READ", Role.AUDITOR) == EVERY
    assert not topics_to("WRITE", Role.AUDITOR)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR, Role.PARTICIPANT])
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
