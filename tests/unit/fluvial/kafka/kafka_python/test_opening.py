"""A broker that never answers: what a client that could not be made leaves behind."""

import socket
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from fluvial.identity.brokers import Brokers
from fluvial.kafka.errors import TransportUnavailable
from fluvial.kafka.kafka_python import backend as module
from fluvial.kafka.kafka_python.backend import KafkaPythonBackend


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaPythonBackend]:
    monkeypatch.setattr(module, "_BOOTSTRAP_MS", 200)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        yield KafkaPythonBackend(Brokers(bootstrap_servers=f"127.0.0.1:{port}"), "test")


@pytest.mark.parametrize(
    "make", [KafkaPythonBackend.producer, KafkaPythonBackend.fetcher, lambda backend: backend.bounds("topic")]
)
def test_a_client_that_cannot_be_made_leaves_nothing_behind(
    backend: KafkaPythonBackend, make: Callable[[KafkaPythonBackend], object]
) -> None:
    threads, files = threading.active_count(), psutil.Process().num_fds()
    with pytest.raises(TransportUnavailable):
        make(backend)
    assert threading.active_count() == threads
    assert psutil.Process().num_fds() == files
