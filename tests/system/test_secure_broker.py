"""A broker that asks who one is: mutual TLS and SCRAM, through both client libraries, and what each of them tells whom
the broker does not take."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from deploy.broker.process import Broker
from deploy.broker.topics import create_topics
from deploy.security.access import Access
from deploy.security.certificates import Authority
from deploy.security.quotas import UNBOUNDED, Quota, default_quota, set_quotas
from deploy.security.rights import Role
from fluvial.identity.brokers import Brokers, Security
from fluvial.kafka import Message, Transport, TransportFailed, read_to_end
from fluvial.kafka.connection import kafka_python, librdkafka
from fluvial.wire.files import write_private
from fluvial.wire.topics import Topics

pytestmark = pytest.mark.system

DAY = timedelta(days=1)
TOPICS = Topics("secure.")
CLINIC = "participant:clinic"
Connect = Callable[[Brokers], Transport]


class SecureBroker:
    """The broker, the authority that it trusts, and one that it does not."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "tls"
        self.authority = Authority.load_or_make(self.folder)
        self.stranger = Authority.load_or_make(root / "stranger")
        self.issue("broker", "broker.pem", hosts=["127.0.0.1"])
        self.issue("admin", "admin.pem")
        self.issue(CLINIC, "clinic.pem")
        self.broker = Broker(root / "broker", self.folder)
        self.broker.start()
        create_topics(self.broker.brokers, TOPICS.all_settings(1))
        self.access = Access(self.broker.brokers, TOPICS)
        assert self.access.grant_participant("clinic") == CLINIC

    def issue(self, principal: str, file: str, *, valid: timedelta = DAY, hosts: Sequence[str] = ()) -> None:
        write_private(self.folder / file, self.authority.issue(principal, valid=valid, hosts=hosts))

    def with_certificate(self, file: str | None, ca: Path | None = None) -> Brokers:
        own = None if file is None else self.folder / file
        security = Security(protocol="SSL", ca_file=ca or self.folder / "ca.pem", certificate_file=own, key_file=own)
        return Brokers(bootstrap_servers=self.broker.bootstrap_servers, security=security)

    def with_password(self, password: str) -> Brokers:
        write_private(self.folder / password, password.encode())
        security = Security(
            protocol="SASL_SSL",
            ca_file=self.folder / "ca.pem",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=CLINIC,
            sasl_password_file=self.folder / password,
        )
        return Brokers(bootstrap_servers=self.broker.password_servers, security=security)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    secure = SecureBroker(tmp_path_factory.mktemp("secure"))
    yield secure
    secure.broker.stop()


@pytest.fixture(params=[kafka_python, librdkafka])
def connect(request: pytest.FixtureRequest) -> Connect:
    return lambda brokers: request.param(brokers, "test")


def read(transport: Transport, topic: str) -> list[Message]:
    with closing(transport.read(topic)) as reader:
        return list(read_to_end(reader, 20))


@pytest.mark.parametrize("how", ["certificate", "password"])
def test_a_participant_does_what_it_may_and_nothing_else(secure: SecureBroker, connect: Connect, how: str) -> None:
    """Refused records do not spoil what is sent after them, either."""
    secure.access.set_password(CLINIC, "right")
    brokers = secure.with_certificate("clinic.pem") if how == "certificate" else secure.with_password("right")
    with closing(connect(brokers)) as transport:
        assert transport.produce(TOPICS.updates, b"mine", key=b"clinic").result(30).offset >= 0
        for topic in (TOPICS.models, TOPICS.accepted, TOPICS.events, TOPICS.verdicts, TOPICS.registry):
            with pytest.raises(TransportFailed, match=rf"permission denied on {topic}.*ask the operator"):
                transport.produce(topic, b"forged", key=b"clinic").result(30)
            assert transport.produce(TOPICS.updates, b"mine", key=b"clinic").result(30).offset >= 0
        assert read(transport, TOPICS.rounds) == []
        with pytest.raises(TransportFailed, match=r"permission denied|may not see it"):
            read(transport, TOPICS.updates)


def test_nobody_unknown_is_let_in_and_everybody_learns_why_at_once(secure: SecureBroker, connect: Connect) -> None:
    secure.issue(CLINIC, "expired.pem", valid=-DAY)
    write_private(secure.folder / "stranger.pem", secure.stranger.issue(CLINIC, valid=DAY))
    write_private(secure.folder / "stranger-ca.pem", secure.stranger.pem)
    for brokers, said in [
        (secure.with_certificate(None), "wants a certificate.*ask the operator"),
        (secure.with_certificate("expired.pem"), "has expired on .*ask the operator"),
        (secure.with_certificate("stranger.pem"), "refuses the certificate.*ask the operator"),
        (secure.with_certificate("clinic.pem", secure.folder / "stranger-ca.pem"), "does not vouch for"),
    ]:
        started = time.monotonic()
        with closing(connect(brokers)) as transport:
            with pytest.raises(TransportFailed, match=said):
                transport.produce(TOPICS.updates, b"x", key=b"clinic").result(1)
            with pytest.raises(TransportFailed, match=said):
                read(transport, TOPICS.rounds)
        assert time.monotonic() - started < 5


def test_a_wrong_password_is_told_at_once(secure: SecureBroker, connect: Connect) -> None:
    secure.access.set_password(CLINIC, "right")
    started = time.monotonic()
    with (
        closing(connect(secure.with_password("wrong"))) as transport,
        pytest.raises(TransportFailed, match=r"invalid credentials.*ask the operator"),
    ):
        transport.produce(TOPICS.updates, b"x", key=b"clinic").result(1)
    assert time.monotonic() - started < 5


def test_whose_rights_are_taken_away_never_gets_them_back(secure: SecureBroker) -> None:
    """At once, also over a connection that is open; who is let in again is somebody else to the broker."""
    assert secure.access.grant_participant("leaver") == "participant:leaver"
    secure.issue("participant:leaver", "leaver.pem")
    secure.access.set_password("participant:leaver", "right")
    with closing(librdkafka(secure.with_certificate("leaver.pem"), "test")) as transport:
        assert transport.produce(TOPICS.updates, b"x", key=b"leaver").result(30).offset >= 0
        assert secure.access.revoke_participant("leaver") == "participant:leaver"
        with pytest.raises(TransportFailed, match="permission denied"):
            transport.produce(TOPICS.updates, b"x", key=b"leaver").result(30)
        assert secure.access.grant_participant("leaver") == "participant:leaver/2"
        with pytest.raises(TransportFailed, match="permission denied"):
            transport.produce(TOPICS.updates, b"x", key=b"leaver").result(30)
    secure.issue("participant:leaver/2", "leaver.pem")
    with closing(librdkafka(secure.with_certificate("leaver.pem"), "test")) as transport:
        assert transport.produce(TOPICS.updates, b"x", key=b"leaver").result(30).offset >= 0
    assert secure.access.admitted() == [CLINIC, "participant:leaver/2"]


def test_rights_follow_the_table(secure: SecureBroker) -> None:
    """Granted again under another role, a principal has no right left of the former one."""
    secure.access.grant("auditor:court", Role.OPERATOR)
    assert secure.access.grant_auditor("court") == "auditor:court"
    secure.issue("auditor:court", "auditor.pem")
    with closing(librdkafka(secure.with_certificate("auditor.pem"), "test")) as transport:
        assert isinstance(read(transport, TOPICS.updates), list)
        with pytest.raises(TransportFailed, match="permission denied"):
            transport.produce(TOPICS.models, b"x", key=b"k").result(30)
        assert secure.access.revoke_auditor("court") == "auditor:court"
        with pytest.raises(TransportFailed, match=r"permission denied|may not see it"):
            read(transport, TOPICS.updates)


@pytest.mark.parametrize("name", ["secure.demo/main-0-0", "secure.validation-aggregation/main-0-0", "of-my-own"])
def test_a_participant_has_no_transactions(secure: SecureBroker, name: str) -> None:
    """It would fence the jobs', or leave one open, for which all readers wait."""
    client = secure.with_certificate("clinic.pem").librdkafka()
    with pytest.raises(KafkaException) as caught:
        Producer({**client, "transactional.id": name}).init_transactions(20)
    assert caught.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_the_jobs_have_theirs(secure: SecureBroker) -> None:
    secure.access.grant("jobs", Role.JOBS)
    secure.issue("jobs", "jobs.pem")
    client = secure.with_certificate("jobs.pem").librdkafka()
    producer = Producer({**client, "transactional.id": "secure.demo/main-0-0"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(TOPICS.verdicts, b"x", b"k")
    producer.commit_transaction(20)
    with pytest.raises(KafkaException) as caught:
        Producer({**client, "transactional.id": "another.demo/main-0-0"}).init_transactions(20)
    assert caught.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_only_who_may_ask_asks_and_hears_answers(secure: SecureBroker) -> None:
    assert secure.access.grant_participant("asking", asks=True) == "participant:asking"
    secure.issue("participant:asking", "asking.pem")
    with (
        closing(librdkafka(secure.with_certificate("asking.pem"), "test")) as asking,
        closing(librdkafka(secure.with_certificate("clinic.pem"), "test")) as clinic,
    ):
        assert asking.produce(TOPICS.requests, b"x", key=b"k").result(30).offset >= 0
        assert read(asking, TOPICS.results) == []
        with pytest.raises(TransportFailed, match="permission denied"):
            clinic.produce(TOPICS.requests, b"x", key=b"k").result(30)
        with pytest.raises(TransportFailed, match=r"permission denied|may not see it"):
            read(clinic, TOPICS.results)
    secure.access.revoke_participant("asking")


def test_who_takes_more_than_his_share_is_slowed_and_the_others_are_not(secure: SecureBroker) -> None:
    def waits(principal_file: str) -> list[float]:
        """Seconds that the broker asked a sender of 900 kB to wait."""
        found: list[float] = []
        settings = secure.with_certificate(principal_file).librdkafka()
        producer = Producer({**settings, "throttle_cb": lambda event: found.append(event.throttle_time)})
        producer.produce(TOPICS.updates, bytes(900_000), b"k")
        assert producer.flush(30) == 0
        return found

    small = Quota(producer_byte_rate=30_000, consumer_byte_rate=1 << 20, request_percentage=200)
    set_quotas(secure.broker.brokers, small, {"admin": UNBOUNDED})
    try:
        assert default_quota(secure.broker.brokers) == small
        assert max(waits("clinic.pem"), default=0) > 1
        assert waits("admin.pem") == []
    finally:
        set_quotas(secure.broker.brokers, UNBOUNDED, {})


def test_a_client_whose_certificate_was_renewed_goes_on_by_itself(secure: SecureBroker) -> None:
    """The old one expires while the client reads; its file is replaced, and the broker is restarted."""
    secure.issue(CLINIC, "short.pem", valid=timedelta(seconds=4))
    with (
        closing(librdkafka(secure.with_certificate("short.pem"), "test")) as transport,
        closing(transport.read(TOPICS.rounds)) as reader,
        closing(librdkafka(secure.broker.brokers, "test")) as admin,
    ):
        at = admin.produce(TOPICS.rounds, b"first", key=b"k").result(30)
        assert [message.offset for message in next_messages(reader)] == [at.offset]
        time.sleep(4)
        secure.issue(CLINIC, "short.pem")
        secure.broker.restart()
        at = admin.produce(TOPICS.rounds, b"second", key=b"k").result(30)
        assert [message.offset for message in next_messages(reader)] == [at.offset]


def next_messages(reader) -> list[Message]:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if messages := reader.poll(0.2):
            return messages
    raise TimeoutError
