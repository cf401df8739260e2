"""`Federated`: a training script's own loop in a federation.

    with Federated(participant, "chest-xray", module) as federated:
        for round_ in federated.rounds():            # module holds the round's global model
            examples = fit(module, loader, round_)   # your loop, optimizer, augmentation, device, AMP
            federated.publish(round_, examples)      # delta, encoding, signature, resume: ours

It stands on `Participant.rounds` and `Participant.publish`; what travels of the module is as the task's file says
(`fluvial.edge.training.module_state`). Shapes: D elements of all that travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

try:
    from torch import nn
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "fluvial.edge.torch needs torch, which is not installed: pip install 'fluvial[torch]'", name=error.name
    ) from error

from fluvial.edge.contribution import finite_delta
from fluvial.edge.errors import TrainingFailed
from fluvial.edge.events import Event, Interrupted, NotTrained
from fluvial.edge.metrics.measure import Metric
from fluvial.edge.packages.examples import Examples
from fluvial.edge.participant import Participant, ignore
from fluvial.edge.training.held_out import told_of
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.round_memory import RoundMemory
from fluvial.kafka import TransportUnavailable
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import HeldOutMetrics, Round
from fluvial.wire.task_code import is_reference
from fluvial.wire.task_file import TaskFile

Vector = NDArray[np.float32]

_RETRY_SECONDS = 1.0


class Federated:
    """A module that takes part in a task's rounds. A context manager; the participant stays open at its end.

    One thread at a time uses it. `participant.stop()`, from any thread, ends `rounds` at its next step.
    """

    def __init__(
        self,
        participant: Participant,
        task: str,
        module: nn.Module,
        *,
        encoding: str = "float32",
        on_event: Callable[[Event], None] = ignore,
    ) -> None:
        """module: as the task's builder makes it, on any device; its weights are overwritten. on_event: told of what is
        published, left out, or waited for.

        Raises ValueError for a task that is not in the registry, a module whose state its file does not fit, and
        weights that do not travel and are others than the task's; TransportUnavailable.
        """
        self._specification = TaskFile.model_validate_json(participant.task(task).specification)
        specification = self._specification.model
        self.state = ModuleState(module, specification.train, specification.local, specification.statistics)
        if specification.base_sha256 and self.state.fixed_digest() != specification.base_sha256:
            raise ValueError(
                f"the weights of the module that do not travel are not those of the task {task}: load the weights that "
                "the task was created with before it takes part"
            )
        self._participant, self._task, self._module = participant, task, module
        self._encoding, self._on_event = encoding, on_event
        self._memory: RoundMemory | None = None
        if self.state.has_personal:
            self._memory = RoundMemory(participant.state_folder, task, "personal")
        self._initial_personal = self.state.personal()
        self._loaded: tuple[Round, Vector] | None = None

    def rounds(self) -> Iterator[Round]:
        """The rounds that invite this participant and have no update of it, as `Participant.rounds` gives them.

        With each, the module holds the round's model and what stayed with this participant, in training mode. A round
        that is not published is sat out. Waits while the broker is away. Raises ValueError for a module that does not
        fit a round's layout, VerificationError for a model that is not what was signed.
        """
        for round_ in self._participant.rounds(self._task, self._on_event):
            self.state.check_fits(round_.layout)
            base_D = self._base(round_)
            if base_D is None:
                continue
            self.state.load(base_D)
            if self._memory is not None:
                self.state.load_personal(self._memory.before(round_.round, self._initial_personal))
                self._before = self.state.personal()
            self.state.train_mode()
            self._loaded = round_, base_D
            yield round_
        self._loaded = None

    def measure(self, examples: object, own: Mapping[str, Metric] | None = None) -> tuple[HeldOutMetrics, ...]:
        """Metrics of the module as it is, on examples that this participant holds out, for `publish` to tell: call it
        before training. Empty where the task does not ask for metrics, and of fewer than ten people.

        examples: (inputs, targets), perhaps with groups, as a task's loader gives them. own: metrics that are no
        built-in ones, by the names that the task's file has for them. Raises ValueError for what are no examples, and
        for a metric that is neither built in nor in `own`; a loss of the task's own that is not in `own` is left out.
        """
        wanted = self._specification.held_out.metrics
        if not wanted:
            return ()
        loss = self._specification.loss
        found = Examples.of(examples, "the caller of measure")
        device = next((str(parameter.device) for parameter in self._module.parameters()), "cpu")
        known: str | Metric = loss if not is_reference(loss) else _no_loss
        told = told_of(self._module, found, wanted, loss=known, own=own, device=device)
        self.state.train_mode()
        return told

    def publish(self, round_: Round, examples: int, measured: tuple[HeldOutMetrics, ...] = ()) -> str | None:
        """Publish how far the module has come from the round's model. examples: that it was trained on. measured: what
        `measure` gave.

        Returns the update's id; None where nothing is published: training that diverged and too few examples
        (`on_event` says so), or a broker that is away, in which case the update is stored and `rounds` sends it. Raises
        ValueError for another round than the module was loaded for, a module whose tensors have other names, shapes or
        dtypes by now, a number of examples that is none, and an encoding that the round does not take.
        """
        if self._loaded is None or self._loaded[0] is not round_:
            raise ValueError("publish is for the round that `rounds` gave last, whose model the module was loaded with")
        self.state.check_kept()
        try:
            delta_D = finite_delta(self.state.difference(self._loaded[1]))
        except TrainingFailed as error:
            self._on_event(NotTrained(round=round_, reason=str(error)))
            return None
        if self._memory is not None:
            self._memory.keep(round_.round, self._before, self.state.personal())
        try:
            return self._participant.publish(round_, delta_D, examples, self._encoding, self._on_event, measured)
        except TransportUnavailable as error:
            self._on_event(Interrupted(reason=str(error)))
            return None

    def _base(self, round_: Round) -> Vector | None:
        """The round's model; None where it is gone, because a newer round is open, or where all is to end."""
        while not self._participant.is_stopped(0.0):
            try:
                return self._participant.base_model(round_)
            except ChunkUnavailable as error:
                self._on_event(Interrupted(reason=str(error)))
                return None
            except TransportUnavailable as error:
                self._on_event(Interrupted(reason=str(error)))
                self._participant.is_stopped(_RETRY_SECONDS)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The module keeps what it has; what is unsent stays in the participant's outbox."""
        self._loaded = None


def _no_loss(predictions: object, targets: object) -> float:
    raise ValueError("the loss is the task's own: give it in `own`, as the metric loss")
