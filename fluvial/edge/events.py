"""What a participant reports while it takes part; given to `on_event`, in the participant's own thread."""

from dataclasses import dataclass

from fluvial.edge.too_large import Excess
from fluvial.wire.records import HeldOutMetrics, Receipt, Round, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOpened:
    """A round asks for updates.

    Reopened: it is a further attempt of a round that this participant has an update for.
    """

    round: Round
    reopened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """No round of the task was opened yet; told once."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotInvited:
    """A round opened whose public seed did not invite this participant; it waits for the next one."""

    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAgreed:
    """A round asks for an agreement that this participant has not signed, or has withdrawn: nothing is trained or sent
    until it signs. Told once for each round."""

    round: Round
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SatOut:
    """Training had fewer examples than the round takes, so nothing is published; the next round is waited for.

    weight: their number, 0 also where training returned None.
    """

    round: Round
    weight: int
    min_examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTrained:
    """Training failed, with a loss or weights that are no numbers: nothing is published, the round goes on without."""

    round: Round
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The round's model was measured on held-out examples, which the update will tell."""

    round: Round
    metrics: tuple[HeldOutMetrics, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Local training ended. seconds: its wall time, without the fetch of the base model."""

    round: Round
    weight: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """An update is beyond a limit of its round, and the gate will refuse it. It is published all the same: what counts
    is the gate's to decide."""

    round: Round
    excess: Excess


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkAcknowledged:
    """The outbox has kept the position of one more chunk."""

    task: str
    round: int
    num_acknowledged: int
    num_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The envelope is in the log.

    Num_uploaded: chunks sent for it; 0 when it refers to an earlier attempt's, or is inline.
    """

    task: str
    round: int
    attempt: int
    update_id: str
    partition: int
    offset: int
    num_uploaded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """The outbox let go of an upload whose round is over, unsent."""

    task: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict on one of this participant's records."""

    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A receipt for one of this participant's accepted updates."""

    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """The participant leaves, and the audit log has not proven so many answers to it; they are not told."""

    num_answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """The broker is away, or the audit log does not prove a model yet; the participant tries again. reason: the error's
    text."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The operator has halted the task. round: what it will open next."""

    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The task has had all its rounds, or its operator has ended it. removed: has withdrawn it."""

    task: str
    version: int
    removed: bool = False


Event = (
    Waiting
    | RoundOpened
    | NotInvited
    | NotAgreed
    | SatOut
    | NotTrained
    | Measured
    | Trained
    | TooLarge
    | ChunkAcknowledged
    | Published
    | Discarded
    | Judged
    | Answered
    | Unproven
    | Interrupted
    | Paused
    | Finished
)
