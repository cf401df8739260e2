"""Whether this participant agrees to what a round asks for, by the registry that everybody reads: the same rule as the
gate's (`fluvial.registry.agreements`), so that nobody trains for a round that would refuse the update."""

from __future__ import annotations

from fluvial.edge.registry import Registry
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport
from fluvial.registry.agreements import Standing, standing
from fluvial.wire.records import Round, RoundStatus


class OwnAgreements:
    """Follows the registry from the first round on that asks for an agreement."""

    def __init__(self, transport: Transport, federation: Federation, participant: str) -> None:
        self._transport, self._federation, self._participant = transport, federation, participant
        self._registry: Registry | None = None

    def standing(self, round_: Round, has_update: bool) -> Standing:
        """How the participant stands to what the round would have it do now. has_update: whether there is one for it
        already; a round that was opened before a withdrawal takes that, and nothing more is trained for it. Raises
        TransportUnavailable."""
        found = self._standing(round_) if round_.agreement and round_.status is RoundStatus.OPEN else Standing.SIGNED
        return Standing.WITHDRAWN if found is Standing.UNTIL_NEXT and not has_update else found

    def close(self) -> None:
        """Closes the reader."""
        if self._registry is not None:
            self._registry.close()
        self._registry = None

    def _standing(self, round_: Round) -> Standing:
        if self._registry is None:
            registry = Registry(self._transport, self._federation)
            try:
                registry.refresh()
            except BaseException:
                registry.close()
                raise
            self._registry = registry
        self._registry.poll(0.0)
        own, terms = self._registry.participant(self._participant), self._registry.terms(round_.agreement)
        if own is None or terms is None:
            return Standing.NEVER
        return standing(own, round_.agreement, terms.sha256, round_.opened_ms)
