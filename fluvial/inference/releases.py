"""Which artefact serves a task: the newest version of which something was promoted, by the order of the task's terms.
Pure.

Fed with variants and promotions in the order of their topics, each believed for its signature by whoever feeds it. The
same records give the same choice everywhere, so an answer's release can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluvial.wire.records import Promotion, PromotionDecision, Variant


@dataclass(frozen=True, slots=True)
class Released:
    """What serves: the promotion, and the artefact that it promoted."""

    promotion: Promotion
    variant: Variant


class Releases:
    """All variants, and the newest decision on each, by class of processors."""

    def __init__(self) -> None:
        self._variants: dict[tuple[str, int, str], Variant] = {}
        self._promotions: dict[tuple[str, int, str, str], Promotion] = {}

    def add_variant(self, variant: Variant) -> None:
        """Of a variant that comes again the first stands: it is what was measured."""
        self._variants.setdefault((variant.task, variant.version, variant.name), variant)

    def add_promotion(self, promotion: Promotion) -> bool:
        """Whether it is news: a decision older than one that is known, come again, changes nothing."""
        key = promotion.task, promotion.version, promotion.variant, promotion.processor
        known = self._promotions.get(key)
        if known is not None and known.sequence >= promotion.sequence:
            return False
        self._promotions[key] = promotion
        return True

    def promotions(self, task: str) -> list[Promotion]:
        """The newest decision on each variant and class of processors, oldest decision first."""
        found = [promotion for promotion in self._promotions.values() if promotion.task == task]
        return sorted(found, key=lambda promotion: promotion.sequence)

    def serving(self, task: str, processor: str, preference: Sequence[str]) -> Released | None:
        """What serves a task on a class of processors; None while nothing was promoted for it.

        preference: names of variants, first the one that serves before all others of its version. What is not named
        there serves nobody."""
        candidates = [
            Released(promotion, variant)
            for promotion in self._promotions.values()
            if promotion.task == task
            and promotion.processor == processor
            and promotion.decision is PromotionDecision.PROMOTED
            and promotion.variant in preference
            and (variant := self._variants.get((task, promotion.version, promotion.variant))) is not None
            and variant.artefact_sha256 == promotion.artefact_sha256
        ]
        return max(
            candidates,
            key=lambda released: (released.promotion.version, -preference.index(released.promotion.variant)),
            default=None,
        )
