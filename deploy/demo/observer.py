"""Reads what the federation publishes into a ledger: verdicts, receipts, rounds, models, releases, sizes of updates.

Signed records are believed for their signature only, so that what is shown is what an outsider could verify.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from deploy.demo.ledger import Ledger
from fluvial.admission.over_rate import verdicts_of
from fluvial.identity.envelope import open_envelope, unseal
from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Reader, Transport, TransportFailed, TransportUnavailable
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode, decode_either
from fluvial.wire.records import ModelManifest, ModelUpdate, OverRate, Receipt, Release, Round, Verdict

_NEW_TOPIC_SECONDS = 15.0
_PLAIN: dict[str, type[Any]] = {"receipts": Receipt, "releases": Release}
_SIGNED: dict[str, type[Any]] = {"rounds": Round, "models": ModelManifest}


class Observer:
    """Used by one thread. Raises TransportUnavailable, TransportFailed."""

    def __init__(self, federation: Federation, transport: Transport, ledger: Ledger) -> None:
        self._ledger = ledger
        # The initial model is the operator's.
        self._scope = federation.topics.scope
        self._signers = [bytes.fromhex(federation.aggregator_key), bytes.fromhex(federation.operator_key)]
        self._readers: dict[str, Reader] = {}
        try:
            for name in ("verdicts", *_PLAIN, *_SIGNED, "updates"):
                self._readers[name] = _open(transport, getattr(federation.topics, name))
        except BaseException:
            self.close()
            raise

    def poll(self, timeout: float) -> bool:
        """Take in what has arrived, after at most about `timeout` seconds. Says whether there was news."""
        news = False
        for name, reader in self._readers.items():
            for message in reader.poll(timeout / len(self._readers)):
                news |= message.value is not None and self._take(name, message, message.value)
        return news

    def close(self) -> None:
        """Releases the connections."""
        for reader in self._readers.values():
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, name: str, message: Message, value: bytes) -> bool:
        if name == "updates":
            self._ledger.add_update((message.partition, message.offset), _claimed(value))
            return False
        if name == "verdicts":
            verdict = decode_either(value, Verdict, OverRate)
            told = verdicts_of(verdict) if isinstance(verdict, OverRate) else (verdict,)
            news = [self._ledger.add(each, message.timestamp_ms) for each in told]
            return any(news)
        if name in _PLAIN:
            return self._ledger.add(decode(value, _PLAIN[name]), message.timestamp_ms)
        for signer in self._signers:
            try:
                return self._ledger.add(unseal(value, _SIGNED[name], signer, self._scope), message.timestamp_ms)
            except FluvialError:
                continue
        return False


def _open(transport: Transport, topic: str) -> Reader:
    """A partition of a topic that was made a moment ago may still be without a leader."""
    deadline = time.monotonic() + _NEW_TOPIC_SECONDS
    while True:
        try:
            return transport.read(topic)
        except (TransportFailed, TransportUnavailable):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _claimed(value: bytes) -> ModelUpdate | None:
    """What an envelope says it is; whether that is true, its verdict tells."""
    try:
        return decode(open_envelope(value).payload, ModelUpdate)
    except FluvialError:
        return None
