"""Whom a round invited, computed again from what is public: the round, its base model, the enrolled participants. The
newest round invites nobody who had withdrawn its agreement when it was opened."""

from dataclasses import dataclass

from fluvial.edge.manifests import read_manifests
from fluvial.edge.registry import Registry
from fluvial.edge.rounds import RoundFollower
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport
from fluvial.registry.agreements import Standing, standing
from fluvial.wire.errors import VerificationError
from fluvial.wire.records import ParticipantStatus, Round
from fluvial.wire.sampling import invited, round_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitations:
    """seed: 32 bytes. invited_fraction: of the task's newest round. participants: all enrolled, and whether invited."""

    task: str
    round: int
    attempt: int
    seed: bytes
    invited_fraction: float
    participants: dict[str, bool]


def invitations(
    transport: Transport,
    federation: Federation,
    task: str,
    round_number: int | None = None,
    attempt: int | None = None,
) -> Invitations:
    """Of the newest round, or of an earlier one that has made a model; of its last attempt, or of an earlier one.

    Raises ValueError for a round that is not known, VerificationError when the newest announces another seed than
    follows from its base model, TransportUnavailable.
    """
    newest = _newest(transport, federation, task)
    if newest is None:
        raise ValueError(f"the task {task} has opened no round")
    number, last_attempt, base_digest = newest.round, newest.attempt, newest.base_digest
    if newest.seed != round_seed(task, number, last_attempt, base_digest):
        raise VerificationError(f"round {number} announces a seed that does not follow from its base model")
    if round_number not in (None, number):
        made = [m for m in read_manifests(transport, federation) if (m.task, m.round) == (task, round_number)]
        if not made:
            raise ValueError(f"round {round_number} of {task} is neither the newest nor has it made a model")
        number, last_attempt, base_digest = made[0].round, made[0].attempt, made[0].parent_digest
    if attempt is not None and not 1 <= attempt <= last_attempt:
        raise ValueError(f"round {number} of {task} has had {last_attempt} attempts, there is no attempt {attempt}")
    attempt = attempt or last_attempt
    seed = round_seed(task, number, attempt, base_digest)
    return Invitations(
        task=task,
        round=number,
        attempt=attempt,
        seed=seed,
        invited_fraction=newest.invited_fraction,
        participants={
            name: is_asked and invited(name, seed, newest.invited_fraction)
            for name, is_asked in _enrolled(transport, federation, newest if number == newest.round else None).items()
        },
    )


def _newest(transport: Transport, federation: Federation, task: str) -> Round | None:
    follower = RoundFollower(transport, federation)
    try:
        follower.refresh()
    finally:
        follower.close()
    return follower.newest(task)


def _enrolled(transport: Transport, federation: Federation, round_: Round | None) -> dict[str, bool]:
    """Those that are enrolled, and whether the round may ask them."""
    registry = Registry(transport, federation)
    try:
        registry.refresh()
    finally:
        registry.close()
    terms = registry.terms(round_.agreement) if round_ is not None else None
    enrolled = [one for one in registry.participants() if one.status is ParticipantStatus.ACTIVE]
    if round_ is None or terms is None:
        return {one.participant: True for one in enrolled}
    return {
        one.participant: standing(one, round_.agreement, terms.sha256, round_.opened_ms) is not Standing.WITHDRAWN
        for one in enrolled
    }
