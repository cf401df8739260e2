"""What kafka-python's errors mean to a caller."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from fluvial.kafka.errors import ConnectionLost, TransportFailed, TransportUnavailable, permission_denied

_LOST = (
    errors.OutOfOrderSequenceNumberError,
    errors.InvalidProducerEpochError,
    errors.UnknownProducerIdError,
    errors.ProducerFencedError,
)
_REFUSED = (errors.SaslAuthenticationFailedError, errors.UnsupportedSaslMechanismError)


@contextmanager
def translated(topic: str) -> Iterator[None]:
    """Errors of the client become those of this package."""
    try:
        yield
    except errors.KafkaError as error:
        raise translate(error, topic) from error


@contextmanager
def explained(topic: str) -> Iterator[None]:
    """As `translated`, around a call that connects: why it failed, kafka-python says in its log alone."""
    words = _LastWords()
    logger = logging.getLogger("kafka.net")
    logger.addHandler(words)
    try:
        yield
    except errors.KafkaError as error:
        reason = words.last or str(error)
        if any(refusal.__name__ in reason for refusal in _REFUSED):
            raise TransportFailed(reason) from error
        failure = translate(error, topic)
        raise type(failure)(f"{failure} ({words.last})" if words.last else str(failure)) from error
    finally:
        logger.removeHandler(words)


def translate(error: BaseException, topic: str) -> TransportFailed | TransportUnavailable:
    """Waiting cures a broker that is away, a new producer one whose numbering is lost, and nothing the rest."""
    text = f"{topic}: {error}" if topic else str(error)
    if isinstance(error, errors.AuthorizationError):
        return permission_denied(topic, error)
    if isinstance(error, _LOST):
        return ConnectionLost(text)
    if getattr(error, "retriable", False) or isinstance(error, errors.BrokerNotAvailableError | errors.Cancelled):
        return TransportUnavailable(text)
    return TransportFailed(text)


class _LastWords(logging.Handler):
    """Keeps the last message that says why no connection came about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        # A connection that was refused is also reported as one that ended.
        if "Authentication" in message or ("failed" in message and "Authentication" not in self.last):
            self.last = message
