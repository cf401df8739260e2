"""A pruned model after federated rounds of fine-tuning. The rounds are those of a task of its own, whose first model is
the pruned one (`fluvial variant tune`); what is built here is what they have made of it."""

from dataclasses import dataclass
from typing import ClassVar

from fluvial.edge.training.onnx_export import export, to_bytes
from fluvial.wire.acceleration import PRUNED
from models.acceleration.recipe import Artefact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuned:
    """Recipe `fine_tuned`. of: name of the variant that is tuned, of recipe pruned_structured. rounds: how many there
    are."""

    name: ClassVar[str] = "fine_tuned"

    of: str = PRUNED
    rounds: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for no rounds."""
        if self.rounds < 1:
            raise ValueError(f"fine_tuned: rounds is {self.rounds}; there must be at least 1")

    def build(self, subject: Subject) -> Artefact:
        """The exported module, which is the narrower one with the weights that its rounds have made."""
        return Artefact(data=to_bytes(export(subject.module, subject.example)), deterministic=True)
