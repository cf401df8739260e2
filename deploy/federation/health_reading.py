"""Reading what needs a person in a federation, while what decodes it is imported."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fluvial.identity.federation import Federation
from fluvial.kafka import Message, connect, read_all
from fluvial.kafka.asked import Asked
from pipelines.flink.log_reader import STALL_SECONDS, read_to_end

if TYPE_CHECKING:
    from deploy.federation.health import Health
    from pipelines.flink.stage_mac import StageMac

NEWEST_EVENTS = 20_000
"""How far back events and quarantine are looked at, by partition."""


class HealthReading:
    """The registry, the newest events and the newest of quarantine, on their way from when this is made."""

    def __init__(self, federation: Federation) -> None:
        brokers, topics = federation.brokers, federation.topics
        self._federation = federation
        self._registry = Asked(self._read_registry)
        self._events = Asked(lambda: list(read_to_end(brokers, topics.events, tail=NEWEST_EVENTS)))
        self._quarantine = Asked(lambda: list(read_to_end(brokers, topics.quarantine, tail=NEWEST_EVENTS)))

    def health(self, mac: StageMac) -> Health:
        """As the log said. mac: tells the stages' events from what others have written. Raises LogUnreadable,
        TransportUnavailable."""
        from deploy.federation.health import Health
        from fluvial.registry.reading import view_of

        health = Health()
        health.take_tasks(view_of(self._federation, self._registry.answer()).tasks())
        health.take_events(mac.proven(self._federation.topics.events, self._events.answer()))
        health.take_quarantine(self._quarantine.answer())
        return health

    def _read_registry(self) -> list[Message]:
        with closing(connect(self._federation.brokers, "fluvial-status")) as transport:
            return list(read_all(transport, self._federation.topics.registry, STALL_SECONDS))
