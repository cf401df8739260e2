"""FLTrust: updates count by how far they point where a trusted one does. Source: Cao et al., 2021, "FLTrust:
Byzantine-robust Federated Learning via Trust Bootstrapping", section IV.

One participant trains on a small clean set of data; its update x_0 is the root of trust. An update's trust is the
cosine of its angle to x_0, 0 if that is negative; updates are brought to the root's norm and averaged by trust: sum_i
t_i x_i |x_0| / |x_i| / sum_i t_i. The root's own update takes part with trust 1 (in the paper the server's does not),
so there always is an aggregate. An update is not stretched by more than 64, which keeps the sum exact; one of norm 0
has no direction and no trust. If the root's norm is 0, so is the aggregate. Holds as long as the root's participant is
honest. Weights are not looked at. Shapes: N updates.
"""

from dataclasses import dataclass
from math import fsum, sqrt
from typing import ClassVar

from fluvial.wire.names import check_participant
from models.aggregation.coefficients import SCALE
from models.aggregation.plan import DeferredRule, Gram, Measure, Plan, RoundUpdates, measured
from models.aggregation.point import weighted_by

MAX_STRETCH = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FLTrust(DeferredRule):
    """Rule `fltrust`. root_participant: whose update is trusted."""

    name: ClassVar[str] = "fltrust"
    measure: ClassVar[Measure] = Measure.GRAM

    root_participant: str

    def __post_init__(self) -> None:
        """Raises ValueError for a name that nobody can enrol under: no round would ever have its root."""
        try:
            check_participant(self.root_participant)
        except ValueError as error:
            raise ValueError(f"root_participant of the aggregation rule fltrust: {error}") from error

    def breakdown_point(self, num_updates: int) -> int:
        """All but the root."""
        return num_updates - 1

    def check_quorum(self, quorum: int) -> None:
        """Any quorum of at least one will do. Raises ValueError."""
        if quorum < 1:
            raise ValueError(f"quorum {quorum} must be at least 1")

    def coefficient_bound(self, target: int, max_weight: int) -> int:
        """Trusts that add up to 1, each update stretched as far as may be, at their scale."""
        return int(MAX_STRETCH) * SCALE

    def plan(self, updates: RoundUpdates, gram: Gram | None = None) -> Plan:
        """The combination; scores are the trusts. Raises ValueError if the root's update is not in the round."""
        gram = measured(gram, updates)
        if updates.participants.count(self.root_participant) != 1:
            raise ValueError(f"fltrust needs exactly one update of its root {self.root_participant} in the round")
        root = updates.participants.index(self.root_participant)
        norms = [sqrt(gram[row, row]) for row in range(len(updates))]
        trusts = [_trust(gram[row, root], norm, norms[root]) for row, norm in enumerate(norms)]
        trusts[root] = 1.0
        total = fsum(trusts)
        stretches = [min(MAX_STRETCH, norms[root] / norm) if norm > 0 else 1.0 for norm in norms]
        shares = [trust / total * stretch for trust, stretch in zip(trusts, stretches, strict=True)]
        if norms[root] == 0:
            shares = [float(row == root) for row in range(len(updates))]
        return weighted_by(shares, tuple(trusts))


def _trust(product: float, norm: float, root_norm: float) -> float:
    if norm == 0 or root_norm == 0:
        return 0.0
    return min(1.0, max(0.0, float(product) / norm / root_norm))
