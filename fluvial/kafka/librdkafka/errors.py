"""What librdkafka's errors mean to a caller."""

from typing import Any

from confluent_kafka import KafkaError

from fluvial.kafka.errors import ConnectionLost, TransportFailed, TransportUnavailable, permission_denied

_WAITING = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
)
_REFUSED = (
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
)
_ALERT = "SSL alert"
_DENIED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
_PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)


class Troubles:
    """What a client said of its connections: its `error_cb`, which any thread of librdkafka may call.

    loss: why the client is to be replaced. refused: the broker does not take it, and no waiting helps. A handshake that
    failed (`_SSL`) may mean that, or that the broker is just being restarted: whoever connects next finds out. denied:
    it takes the client, and lets it do nothing.
    """

    def __init__(self) -> None:
        self.loss: str | None = None
        self.refused = False
        self.denied = False
        self.last = ""

    def __call__(self, error: Any) -> None:
        self.last = error.str()
        # In TLS 1.3 (RFC 8446) the broker looks at the certificate after the handshake: then its alert comes instead of
        # an answer, as any other disconnection does.
        if error.fatal() or error.code() in (*_REFUSED, KafkaError._SSL) or _ALERT in error.str():
            self.loss = error.str()
        if error.code() in _REFUSED:
            self.refused = True
        if error.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:  # a producer that may write to no topic at all
            self.refused = self.denied = True
            self.loss = error.str()

    def check(self) -> None:
        """Raises ConnectionLost when the client is to be replaced."""
        if self.loss is not None:
            raise ConnectionLost(self.loss, refused=self.refused)


def translate(error: Any, topic: str, troubles: Troubles) -> TransportFailed | TransportUnavailable:
    """librdkafka heals connections by itself: its own codes (negative) for an absent broker are a matter of waiting."""
    text = f"{topic}: {error.str()}"
    if error.code() in _DENIED or troubles.denied:
        return permission_denied(topic, troubles.loss or error.str())
    if troubles.refused:
        return TransportFailed(troubles.loss or text)
    if error.fatal() or error.code() in _PURGED:
        return ConnectionLost(text)
    if error.retriable() or error.code() in _WAITING:
        return TransportUnavailable(f"{text} ({troubles.last})" if troubles.last else text)
    return TransportFailed(text)
