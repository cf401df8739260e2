from dataclasses import dataclass

import pytest
from confluent_kafka import KafkaError

from fluvial.kafka.errors import ConnectionLost, TransportFailed, TransportUnavailable
from fluvial.kafka.librdkafka.errors import Troubles, translate


@dataclass
class Said:
    """An error as librdkafka gives it."""

    number: int
    text: str = "words"
    is_fatal: bool = False

    def code(self) -> int:
        return self.number

    def str(self) -> str:
        return self.text

    def fatal(self) -> bool:
        return self.is_fatal

    def retriable(self) -> bool:
        return False


ALERT = Said(KafkaError._TRANSPORT, "Receive failed: tlsv1 alert unknown ca: SSL alert number 48")


@pytest.mark.parametrize(
    ("said", "lost", "refused"),
    [
        (Said(KafkaError._TRANSPORT, "Connection refused"), False, False),
        (Said(KafkaError._ALL_BROKERS_DOWN), False, False),
        (ALERT, True, False),
        (Said(KafkaError._SSL, "handshake failed"), True, False),
        (Said(KafkaError._AUTHENTICATION, "invalid credentials"), True, True),
        (Said(KafkaError.CLUSTER_AUTHORIZATION_FAILED, is_fatal=True), True, True),
        (Said(KafkaError.INVALID_PRODUCER_EPOCH, is_fatal=True), True, False),
    ],
)
def test_what_ends_a_client_is_told_from_what_passes(said: Said, lost: bool, refused: bool) -> None:
    troubles = Troubles()
    troubles(said)
    assert (troubles.loss is not None, troubles.refused) == (lost, refused)
    if lost:
        with pytest.raises(ConnectionLost) as caught:
            troubles.check()
        assert caught.value.refused is refused


def test_who_waited_in_vain_learns_what_the_connections_said() -> None:
    troubles = Troubles()
    troubles(Said(KafkaError._TRANSPORT, "Connection refused"))
    failure = translate(Said(KafkaError._TIMED_OUT, "timed out"), "t", troubles)
    assert isinstance(failure, TransportUnavailable)
    assert "Connection refused" in str(failure)


def test_a_leader_that_is_being_chosen_is_waited_for() -> None:
    for code in (
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
    ):
        assert isinstance(translate(Said(code), "t", Troubles()), TransportUnavailable)


def test_what_was_purged_because_of_a_refusal_was_refused() -> None:
    troubles = Troubles()
    troubles(Said(KafkaError._AUTHENTICATION, "invalid credentials"))
    failure = translate(Said(KafkaError._PURGE_QUEUE, "purged"), "t", troubles)
    assert isinstance(failure, TransportFailed)
    assert "invalid credentials" in str(failure)


def test_missing_rights_are_told_as_such() -> None:
    failure = translate(Said(KafkaError.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed"), "t", Troubles())
    assert isinstance(failure, TransportFailed)
    assert "permission denied on t" in str(failure)
    troubles = Troubles()
    troubles(Said(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed", is_fatal=True))
    assert "permission denied on t" in str(translate(Said(KafkaError._PURGE_QUEUE, "purged"), "t", troubles))
