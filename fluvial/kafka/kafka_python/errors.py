"""What kafka-python's errors mean to a caller."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from fluvial.kafka.errors import TransportFailed, TransportUnavailable


@contextmanager
def translated(topic: str) -> Iterator[None]:
    """Errors of the client become those of this package."""
    try:
        yield
    except errors.KafkaError as error:
        raise translate(error, topic) from error


def translate(error: BaseException, topic: str) -> TransportFailed | TransportUnavailable:
    """Waiting cures a broker that is away, and nothing else."""
    text = f"{topic}: {error}" if topic else str(error)
    if getattr(error, "retriable", False) or isinstance(error, errors.BrokerNotAvailableError | errors.Cancelled):
        return TransportUnavailable(text)
    return TransportFailed(text)
