"""Making a client of kafka-python, and leaving nothing behind where no broker takes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.net.compat import KafkaNetClient

from fluvial.kafka.kafka_python.errors import explained


@contextmanager
def opening(topic: str) -> Iterator[Callable[..., Any]]:
    """Around the making of one client: gives its setting `kafka_client`, and explains errors.

    A KafkaConsumer or KafkaProducer that cannot be made leaves its connections, sockets and thread, which goes on
    connecting, to nobody: whoever tries again and again would gather them.
    """
    made: list[Any] = []

    def network(**settings: Any) -> Any:
        made.append(KafkaNetClient(**settings))
        return made[-1]

    try:
        with explained(topic):
            yield network
    except BaseException:
        for client in made:
            client.close()
        raise
