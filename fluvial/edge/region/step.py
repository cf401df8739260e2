"""What a region does next. Pure: from what stands in two logs and in the outbox, nothing is remembered beside them.

For each round of the parent, in this order: the round is opened below; the region's aggregation publishes its sum; the
sum is kept in the outbox; it is sent, again for each attempt that the parent makes of the round. A crash between any
two steps is continued from where the logs and the outbox are.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.edge.region.terms import follows, wrong_with
from fluvial.registry.rounds import is_over
from fluvial.wire.records import ModelManifest, Round, RoundStatus, Task
from fluvial.wire.sampling import invited
from fluvial.wire.task_file import TaskFile


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known. parent: its newest round. task: as registered below. manifest: of the newest sum published below.

    name: the region's in the parent federation. agrees: whether the parent's round takes updates of the region, by the
    agreement that it has signed. stored: whether the outbox has the region's update of the parent's
    round. sent: whether it was sent for this very attempt. seconds: what the region's round could take now.
    """

    parent: Round | None
    task: Task | None
    manifest: ModelManifest | None
    name: str
    agrees: bool
    stored: bool
    sent: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before something arrives."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open the parent's round below."""

    parent: Round
    seconds: float


@dataclass(frozen=True, slots=True)
class Keep:
    """Read the region's sum and keep it in the outbox as an update of the parent's round."""

    parent: Round
    manifest: ModelManifest


@dataclass(frozen=True, slots=True)
class Send:
    """Send what the outbox keeps for the parent's round, as far as it is missing."""

    parent: Round


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing can be sent for this attempt of the parent's round."""

    parent: Round
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """The parent's task has finished: say so below."""

    parent: Round


@dataclass(frozen=True, slots=True)
class End:
    """The parent's task has finished, and below they know."""

    parent: Round


Action = Wait | Open | Keep | Send | GiveUp | Close | End


def step(view: View) -> Action:
    """What is to be done next. Raises ValueError when the region is ahead of its parent, which cannot be its own."""
    parent, task = view.parent, view.task
    if parent is None:
        return Wait()
    number = TaskFile.model_validate_json(task.specification).rounds if task is not None else 0
    if number > parent.round:
        raise ValueError(f"round {number} is open below, but the parent is at round {parent.round}: is it another one?")
    if parent.status is RoundStatus.PAUSED:
        return Wait()
    if is_over(parent):
        return Close(parent) if number else End(parent)
    if view.sent or not invited(view.name, parent.seed, parent.invited_fraction):
        return Wait()
    if not view.agrees:
        why = f"the region has not signed the parent's agreement {parent.agreement}, or has withdrawn it"
        return GiveUp(parent, why)
    if view.stored:
        return Send(parent)
    manifest = view.manifest
    if manifest is not None and (manifest.round, manifest.parent_digest) == (parent.round, parent.base_digest):
        wrong = wrong_with(manifest, parent)
        return GiveUp(parent, f"the region's sum does not fit: {wrong}") if wrong else Keep(parent, manifest)
    if task is not None and follows(task, parent):
        return Wait()
    return Open(parent, view.seconds) if view.seconds > 0 else GiveUp(parent, "its deadline is too near")
