"""Step 8, invitation: the seed of the round that the update was trained for invited the participant.

A reopened round has a new seed. In asynchronous windows, updates for an earlier attempt are taken too, so the seed is
that of the attempt that the update names.
"""

from __future__ import annotations

from fluvial.admission.judgement import Fault
from fluvial.wire.records import ModelUpdate, Reason, Round
from fluvial.wire.sampling import invited, round_seed


def check_invitation(update: ModelUpdate, trained_for: Round) -> Fault | None:
    """NOT_INVITED for a participant that the seed left out."""
    if trained_for.invited_fraction >= 1.0:
        return None
    seed = trained_for.seed
    if update.attempt != trained_for.attempt:
        seed = round_seed(update.task, update.round, update.attempt, trained_for.base_digest)
    invites = invited(update.participant, seed, trained_for.invited_fraction)
    return None if invites else Fault(reason=Reason.NOT_INVITED)
