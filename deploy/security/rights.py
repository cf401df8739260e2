"""Who may do what on the broker, by role: the table that `deploy.security.access` puts into Kafka's access lists.

| role | writes | reads | beyond topics |
|---|---|---|---|
| jobs | what their stages write (`pipelines.topology`) | everything | their groups and transactions |
| operator | registry, models, model-blobs, operator-acts | everything | looks at the jobs' groups |
| auditor | nothing | everything | |
| participant | enrolments, updates, update-blobs, reports | what the federation tells everybody | |
| caller | as a participant, and requests | as a participant, and results | |

A participant does not read the updates of others, and nobody but the jobs writes what decides. `broker` and `admin` are
the broker's super-users: the broker itself, and the stack that creates topics and grants these rights. Kafka adds the
right to describe whatever one may read or write.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from fluvial.wire.topics import NAMES, Topics
from pipelines.topology import OF_EVERY_JOB, OF_EVERY_STAGE, STAGES

BROKER = "broker"
ADMIN = "admin"


class Role(StrEnum):
    """Kinds of principals that are granted rights."""

    JOBS = "jobs"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    PARTICIPANT = "participant"
    CALLER = "caller"


class Resource(StrEnum):
    """What rights are to; values are Kafka's names."""

    TOPIC = "TOPIC"
    GROUP = "GROUP"
    TRANSACTIONAL_ID = "TRANSACTIONAL_ID"


class Right(NamedTuple):
    """The right to an operation (Kafka's name of it) on a resource, or on all whose name begins so."""

    resource: Resource
    name: str
    operation: str
    is_prefix: bool = False


_TOLD_TO_EVERYBODY = (
    "registry",
    "rounds",
    "models",
    "model_blobs",
    "verdicts",
    "receipts",
    "releases",
    "variants",
    "variant_blobs",
    "measurements",
    "admitted_reports",
    "promotions",
    "operator_acts",
    "audit",
    "checkpoints",
)
_CLIENT_GROUPS = "fluvial-"
"""librdkafka names a group although Fluvial's clients use none; the jobs' groups begin with the topics' prefix."""

_WRITTEN_BY_JOBS = {*chain.from_iterable(stage.writes for stage in STAGES.values()), *OF_EVERY_STAGE, *OF_EVERY_JOB}
_WRITTEN_BY_PARTICIPANTS = ("enrolments", "updates", "update_blobs", "reports")
_WRITES = {
    Role.JOBS: tuple(sorted(_WRITTEN_BY_JOBS)),
    Role.OPERATOR: ("registry", "models", "model_blobs", "operator_acts"),
    Role.AUDITOR: (),
    Role.PARTICIPANT: _WRITTEN_BY_PARTICIPANTS,
    Role.CALLER: (*_WRITTEN_BY_PARTICIPANTS, "requests"),
}
_READS = {
    Role.JOBS: NAMES,
    Role.OPERATOR: NAMES,
    Role.AUDITOR: NAMES,
    Role.PARTICIPANT: _TOLD_TO_EVERYBODY,
    Role.CALLER: (*_TOLD_TO_EVERYBODY, "results"),
}


def rights(role: Role, topics: Topics) -> frozenset[Right]:
    """All that a role may do in a federation."""
    granted = {*_on_topics(_WRITES[role], topics, "WRITE"), *_on_topics(_READS[role], topics, "READ")}
    granted.add(Right(Resource.GROUP, _CLIENT_GROUPS, "DESCRIBE", is_prefix=True))
    if role is Role.JOBS:
        granted.add(Right(Resource.GROUP, topics.prefix, "READ", is_prefix=True))
        granted.add(Right(Resource.TRANSACTIONAL_ID, topics.prefix, "WRITE", is_prefix=True))
    if role is Role.OPERATOR:
        granted.add(Right(Resource.GROUP, topics.prefix, "DESCRIBE", is_prefix=True))
    return frozenset(granted)


def _on_topics(names: Iterable[str], topics: Topics, operation: str) -> set[Right]:
    return {Right(Resource.TOPIC, getattr(topics, name), operation) for name in names}
