"""What the registry says of this participant: whether its key is in force, and whether it agrees to what a round asks
for, by the same rule as the gate's (`fluvial.registry.agreements`), so that nobody trains for a round that would refuse
the update."""

from __future__ import annotations

from fluvial.edge.enrolled import check_enrolled
from fluvial.edge.registry import Registry
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport
from fluvial.registry.agreements import Standing, standing
from fluvial.wire.records import Round, RoundStatus


class OwnEntry:
    """Follows the registry from the first question on."""

    def __init__(self, transport: Transport, federation: Federation, participant: str) -> None:
        self._transport, self._federation, self._participant = transport, federation, participant
        self._registry: Registry | None = None

    def check(self, public_key: bytes) -> None:
        """Raises NotEnrolled where the registry has revoked this key, or has the participant with another one by now;
        TransportUnavailable. Of somebody whom it does not know, the gate decides."""
        own = self._followed().participant(self._participant)
        if own is not None:
            check_enrolled(own, self._participant, public_key)

    def standing(self, round_: Round, has_update: bool) -> Standing:
        """How the participant stands to what the round would have it do now. has_update: whether there is one for it
        already; a round that was opened before a withdrawal takes that, and nothing more is trained for it. Raises
        TransportUnavailable."""
        found = self._standing(round_) if round_.agreement and round_.status is RoundStatus.OPEN else Standing.SIGNED
        return Standing.WITHDRAWN if found is Standing.UNTIL_NEXT and not has_update else found

    def close(self) -> None:
        """Closes the reader; a further question opens another, which begins with what the registry has then."""
        if self._registry is not None:
            self._registry.close()
        self._registry = None

    def _standing(self, round_: Round) -> Standing:
        registry = self._followed()
        own, terms = registry.participant(self._participant), registry.terms(round_.agreement)
        if own is None or terms is None:
            return Standing.NEVER
        return standing(own, round_.agreement, terms.sha256, round_.opened_ms)

    def _followed(self) -> Registry:
        """The registry as it is now."""
        if self._registry is None:
            registry = Registry(self._transport, self._federation)
            try:
                registry.refresh()
            except BaseException:
                registry.close()
                raise
            self._registry = registry
        self._registry.poll(0.0)
        return self._registry
