"""What is known of a federation's releases, and which artefact serves a task: the newest version of which something was
promoted, by the order of the task's terms. Pure.

Fed with records of three topics in their order, each believed for its signature (`opened`). The same records give the
same choice everywhere, so an answer's release can be checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fluvial.identity.envelope import unseal
from fluvial.wire.records import Measurement, Promotion, PromotionDecision, Variant

KINDS: Mapping[str, type[Any]] = {"variants": Variant, "measurements": Measurement, "promotions": Promotion}
"""The topics, by attribute name of `Topics`, and the record of each."""

ReleaseRecord = Variant | Measurement | Promotion


Here = Callable[[str, str], int | None]
"""Of a runtime, by name and version, and a class of processors: how far down the list of this machine's devices it is;
None for one that is not here."""


@dataclass(frozen=True, slots=True)
class Released:
    """What serves: the promotion, and the artefact that it promoted."""

    promotion: Promotion
    variant: Variant


def opened(topic: str, value: bytes, public_key: bytes, scope: str = "") -> ReleaseRecord:
    """The record of one of the topics in `KINDS`. Raises FluvialError for what this key did not sign as such."""
    record: ReleaseRecord = unseal(value, KINDS[topic], public_key, scope)
    return record


class Releases:
    """All variants, all measurements by their records' SHA-256, and all decisions."""

    def __init__(self) -> None:
        self._variants: dict[tuple[str, int, str], Variant] = {}
        self._measurements: dict[bytes, Measurement] = {}
        self._decisions: dict[str, dict[int, Promotion]] = {}
        self._newest: dict[tuple[str, int, str, str, str], Promotion] = {}
        self._repeated: set[tuple[str, int]] = set()

    def take(self, topic: str, value: bytes, public_key: bytes, scope: str = "") -> ReleaseRecord:
        """Take in a record of one of the topics in `KINDS`. Raises FluvialError for one that the key did not sign."""
        record = opened(topic, value, public_key, scope)
        match record:
            case Variant():
                self.add_variant(record)
            case Measurement():
                self.add_measurement(sha256(value).digest(), record)
            case Promotion():
                self.add_promotion(record)
        return record

    def add_variant(self, variant: Variant) -> None:
        """Of a variant that comes again the first stands: it is what was measured."""
        self._variants.setdefault((variant.task, variant.version, variant.name), variant)

    def add_measurement(self, record_sha256: bytes, measurement: Measurement) -> None:
        """record_sha256: of the whole record, signature included: what a decision names."""
        self._measurements.setdefault(record_sha256, measurement)

    def add_promotion(self, promotion: Promotion) -> bool:
        """Whether it is news: of two decisions with one number the first stands, and a decision older than the newest
        on its subject changes nothing of what serves."""
        first = self._decisions.setdefault(promotion.task, {}).setdefault(promotion.sequence, promotion)
        if first != promotion:
            self._repeated.add((promotion.task, promotion.sequence))
            return False
        key = promotion.task, promotion.version, promotion.variant, promotion.runtime, promotion.processor
        known = self._newest.get(key)
        if known is not None and known.sequence >= promotion.sequence:
            return False
        self._newest[key] = promotion
        return True

    def variant(self, task: str, version: int, name: str) -> Variant | None:
        """A variant by its name; None for one that was not built."""
        return self._variants.get((task, version, name))

    def versions(self, task: str, names: Sequence[str]) -> list[int]:
        """Versions that have all of these variants, built or found not to fit, oldest first."""
        found: dict[int, set[str]] = {}
        for of_task, version, name in self._variants:
            if of_task == task:
                found.setdefault(version, set()).add(name)
        return sorted(version for version, present in found.items() if present.issuperset(names))

    def measurement(self, record_sha256: bytes) -> Measurement | None:
        """A measurement by its record's SHA-256."""
        return self._measurements.get(record_sha256)

    def measurements(self, task: str, version: int, name: str) -> list[Measurement]:
        """All that was measured of a variant, in the order in which it came."""
        of = task, version, name
        return [found for found in self._measurements.values() if (found.task, found.version, found.variant) == of]

    def measurements_of(self, task: str) -> dict[bytes, Measurement]:
        """All that was measured of a task's variants, by the SHA-256 of the records, in the order in which they
        came."""
        return {digest: found for digest, found in self._measurements.items() if found.task == task}

    def promotions(self, task: str) -> list[Promotion]:
        """The newest decision on each variant, runtime and class of processors, oldest decision first."""
        found = [promotion for promotion in self._newest.values() if promotion.task == task]
        return sorted(found, key=lambda promotion: promotion.sequence)

    def decision(self, task: str, sequence: int) -> Promotion | None:
        """A decision by its number, also one that was followed by another."""
        return self._decisions.get(task, {}).get(sequence)

    def repeated(self, task: str) -> list[int]:
        """Numbers that two decisions have which are not the same: whoever signs them has said two things."""
        return sorted(sequence for of_task, sequence in self._repeated if of_task == task)

    def decisions(self, task: str) -> list[Promotion]:
        """All decisions of a task, by number."""
        known = self._decisions.get(task, {})
        return [known[sequence] for sequence in sorted(known)]

    def candidates(self, task: str, here: Here, preference: Sequence[str]) -> list[Released]:
        """What may serve a task, the best first; nothing while nothing was promoted for this machine. A verdict belongs
        to (artefact, runtime, class): another version of the runtime may answer otherwise, and nobody has measured how.

        here: ranks what there is. preference: names of variants, first the one that serves before all others of its
        version. What is not named there serves nobody."""
        found = [
            (-promotion.version, preference.index(promotion.variant), rank, Released(promotion, variant))
            for promotion in self.promotions(task)
            if promotion.decision is PromotionDecision.PROMOTED
            and promotion.variant in preference
            and (variant := self._variants.get((task, promotion.version, promotion.variant))) is not None
            and variant.artefact_sha256 == promotion.artefact_sha256
            and (rank := here(promotion.runtime, promotion.processor)) is not None
        ]
        return [released for *_, released in sorted(found, key=lambda one: one[:3])]
