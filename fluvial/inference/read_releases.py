"""Reads a federation's releases from their topics, for whoever looks at them."""

from __future__ import annotations

from collections.abc import Sequence

from fluvial.identity.federation import Federation
from fluvial.inference.releases import KINDS, Releases
from fluvial.kafka import Transport, read_all
from fluvial.wire.errors import FluvialError

_READ_SECONDS = 30.0


def read_releases(transport: Transport, federation: Federation, topics: Sequence[str] = tuple(KINDS)) -> Releases:
    """All that the federation's service key signed; other records are passed over. topics: of `KINDS`. Raises
    TransportError."""
    releases, signer = Releases(), bytes.fromhex(federation.aggregator_key)
    for topic in topics:
        for message in read_all(transport, getattr(federation.topics, topic), _READ_SECONDS):
            try:
                releases.take(topic, message.value or b"", signer, federation.topics.scope)
            except FluvialError:
                continue
    return releases
