"""`FederatedRounds`: a callback by which Lightning's own trainer takes part in a federation.

    trainer = lightning.Trainer(max_epochs=-1, callbacks=[FederatedRounds(participant, "chest-xray", part="net")])
    trainer.fit(module, loader)          # returns when the task is finished

Each round begins with the round's global model in the module and with optimizers and schedulers anew, as
`configure_optimizers` makes them; after so many epochs the difference is published, as `fluvial.edge.torch` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

try:
    import lightning
    from lightning.pytorch.utilities.data import extract_batch_size
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "fluvial.edge.lightning needs lightning, which is not installed: pip install 'fluvial[lightning]'",
        name=error.name,
    ) from error

from fluvial.edge.events import Event
from fluvial.edge.participant import Participant, ignore
from fluvial.edge.torch import Federated
from fluvial.wire.records import HeldOutMetrics, Round


class FederatedRounds(lightning.Callback):  # type: ignore[misc]  # optional, so without types here
    """Takes the rounds of one task, one after the other, while `Trainer.fit` runs, and ends it with the task.

    Give the trainer `max_epochs=-1`: an end that it comes to by itself leaves the round that is open without an update.
    One process trains: rounds have no meaning to a trainer that is one of several.
    """

    def __init__(
        self,
        participant: Participant,
        task: str,
        *,
        part: str = "",
        epochs: int = 1,
        held_out: object | None = None,
        encoding: str = "float32",
        on_event: Callable[[Event], None] = ignore,
    ) -> None:
        """part: name of the submodule that the task's builder makes; the whole LightningModule without it. epochs: of a
        round. held_out: examples, as `Federated.measure` takes them, that nothing is trained on and whose metrics are
        told where the task asks for them. Raises ValueError for fewer than one epoch."""
        super().__init__()
        if epochs < 1:
            raise ValueError(f"a round takes at least one epoch, not {epochs}")
        self._participant, self._task, self._part, self._epochs = participant, task, part, epochs
        self._held_out, self._encoding, self._on_event = held_out, encoding, on_event
        self._rounds: Iterator[Round] = iter(())
        self._federated: Federated | None = None
        self._round: Round | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The first round. Raises ValueError as `Federated` does, and for a trainer of several processes."""
        if trainer.world_size > 1:
            raise ValueError(f"{trainer.world_size} processes train together, and a round has one update: use one")
        module = pl_module.get_submodule(self._part)
        self._federated = Federated(
            self._participant, self._task, module, encoding=self._encoding, on_event=self._on_event
        )
        self._rounds = self._federated.rounds()
        self._begin(trainer)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Layers whose statistics are frozen stay so, whatever the trainer has set."""
        if self._federated is not None:
            self._federated.state.train_mode()
        self._examples = 0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Counts the epoch's examples."""
        self._examples += extract_batch_size(batch)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """After the last epoch of a round: its update, and the next round."""
        self._left -= 1
        if self._left or self._federated is None or self._round is None:
            return
        self._federated.publish(self._round, self._examples, self._measured)
        self._begin(trainer)
        if self._round is not None:
            trainer.strategy.setup_optimizers(trainer)

    def _begin(self, trainer: Any) -> None:
        """Wait for the next round; without one, the trainer ends."""
        self._round = next(self._rounds, None)
        self._left = self._epochs
        self._measured: tuple[HeldOutMetrics, ...] = ()
        if self._round is None:
            trainer.should_stop = True
        elif self._held_out is not None and self._federated is not None:
            self._measured = self._federated.measure(self._held_out)
