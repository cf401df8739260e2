import json
import threading
import time
from base64 import b64encode
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from confluent_kafka import Producer
from pydantic import TypeAdapter, ValidationError

from fluvial.identity.brokers import Brokers, Security
from fluvial.wire.plain_fields import read_fields

MUTUAL = Security(protocol="SSL", ca_file=Path("ca.pem"), certificate_file=Path("me.pem"), key_file=Path("me.pem"))


def scram(password_file: Path) -> Security:
    return Security(
        protocol="SASL_SSL",
        ca_file=Path("ca.pem"),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="clinic",
        sasl_password_file=password_file,
    )


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("geheim\n")
    return file


def test_plaintext_needs_an_address_alone() -> None:
    brokers = Brokers(bootstrap_servers="a:1,b:2")
    assert brokers.java() == {"bootstrap.servers": "a:1,b:2", "security.protocol": "PLAINTEXT"}
    assert brokers.kafka_python("me")["bootstrap_servers"] == ["a:1", "b:2"]
    assert brokers.librdkafka("me")["bootstrap.servers"] == "a:1,b:2"
    for settings in (brokers.kafka_python("me"), brokers.librdkafka("me"), brokers.java()):
        assert not [name for name in settings if name.startswith(("ssl", "sasl"))]


def test_a_client_does_not_wait_for_its_second_connection() -> None:
    """librdkafka begins none sooner than half of the first back-off after the one before, and none before 11 ms."""
    settings = Brokers(bootstrap_servers="a:1").librdkafka()
    assert settings["reconnect.backoff.ms"] / 2 <= 11
    assert settings["reconnect.backoff.max.ms"] == 1000, "a broker that is away is not asked all the time"


def test_mutual_tls_names_the_files_to_each_client() -> None:
    brokers = Brokers(bootstrap_servers="a:1", security=MUTUAL)
    librdkafka, python, java = brokers.librdkafka(), brokers.kafka_python(), brokers.java()
    assert [librdkafka[f"ssl.{what}.location"] for what in ("ca", "certificate", "key")] == [
        "ca.pem",
        "me.pem",
        "me.pem",
    ]
    assert [python[f"ssl_{what}file"] for what in ("ca", "cert", "key")] == ["ca.pem", "me.pem", "me.pem"]
    assert (java["ssl.truststore.location"], java["ssl.keystore.location"]) == ("ca.pem", "me.pem")
    assert java["ssl.truststore.type"] == java["ssl.keystore.type"] == "PEM"
    assert librdkafka["security.protocol"] == python["security_protocol"] == java["security.protocol"] == "SSL"


def test_python_clients_are_given_the_password_and_java_its_file(password_file: Path) -> None:
    brokers = Brokers(bootstrap_servers="a:1", security=scram(password_file))
    assert brokers.librdkafka()["sasl.password"] == brokers.kafka_python()["sasl_plain_password"] == "geheim"
    java = brokers.java("shaded.kafka")
    assert "geheim" not in str(java)
    assert java["sasl.jaas.config"] == (
        'shaded.kafka.common.security.scram.ScramLoginModule required username="clinic" '
        f'password="${{secrets:{password_file.parent}:password}}";'
    )
    assert java["config.providers.secrets.class"].startswith("shaded.kafka.")


def test_no_secret_is_written_with_the_value(password_file: Path) -> None:
    brokers = Brokers(bootstrap_servers="a:1", security=scram(password_file))
    settings = TypeAdapter(Brokers)  # as those of a job hold it
    assert "geheim" not in settings.dump_json(brokers).decode() + repr(brokers) + str(brokers)
    assert settings.validate_json(settings.dump_json(brokers)) == brokers
    with pytest.raises(ValidationError, match="other"):
        settings.validate_python({"bootstrap_servers": "a:1", "other": 1})


def test_java_asks_for_certificate_and_key_in_one_file() -> None:
    apart = replace(MUTUAL, key_file=Path("key.pem"))
    with pytest.raises(ValueError, match="one PEM file"):
        Brokers(bootstrap_servers="a:1", security=apart).java()


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"protocol": "SSL", "certificate_file": "me.pem"}, "key_file"),
        ({"protocol": "SASL_SSL"}, "sasl_mechanism"),
        ({"protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}, "sasl_username"),
        ({"protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "me"}, "sasl_password_file"),
        ({"sasl_username": 'me" serviceName="x'}, "sasl_username"),
    ],
)
def test_what_is_missing_is_named(fields: dict[str, str], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        read_fields(Security, json.dumps(fields), "file")


def test_a_value_can_be_a_key() -> None:
    one, same, other = (Brokers(bootstrap_servers=name, security=MUTUAL) for name in ("a:1", "a:1", "b:1"))
    assert {one, same, other} == {one, other}


# OAUTHBEARER.


def oauth(password_file: Path, url: str = "https://login.example/token") -> Brokers:
    security = Security(
        protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_username="clinic",
        sasl_password_file=password_file,
        oauth_token_url=url,
        oauth_scope="federation",
    )
    return Brokers(bootstrap_servers="127.0.0.1:1", security=security)


def test_a_token_is_asked_for_by_the_clients_that_can(password_file: Path) -> None:
    brokers = oauth(password_file)
    assert brokers.librdkafka()["sasl.oauthbearer.token.endpoint.url"] == "https://login.example/token"
    java = brokers.java("shaded.kafka")
    assert "geheim" not in str(java)
    assert java["sasl.jaas.config"] == (
        'shaded.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="clinic" '
        f'clientSecret="${{secrets:{password_file.parent}:password}}" scope="federation";'
    )
    with pytest.raises(ValueError, match="kafka-python cannot log in by OAUTHBEARER"):
        brokers.kafka_python()


def test_the_mechanism_and_the_url_of_tokens_go_together(password_file: Path) -> None:
    pairs: tuple[tuple[Any, str | None], ...] = (
        ("OAUTHBEARER", None),
        ("SCRAM-SHA-512", "https://login.example/token"),
    )
    for mechanism, url in pairs:
        with pytest.raises(ValueError, match="go together"):
            Security(
                protocol="SASL_SSL",
                sasl_mechanism=mechanism,
                sasl_username="clinic",
                sasl_password_file=password_file,
                oauth_token_url=url,
            )


def test_librdkafka_asks_for_a_token_with_the_clients_credentials(password_file: Path) -> None:
    """Against a server that answers as an identity provider does."""
    asked: list[tuple[str, str]] = []

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.headers.get("Authorization", ""), body))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        brokers = oauth(password_file, f"http://127.0.0.1:{server.server_port}/token")
        producer = Producer({**brokers.librdkafka(), "log_level": 0, "error_cb": lambda _: None})
        deadline = time.monotonic() + 20
        while not asked and time.monotonic() < deadline:
            producer.poll(0.1)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    authorization, body = asked[0]
    assert authorization == "Basic " + b64encode(b"clinic:geheim").decode()
    assert parse_qs(body) == {"grant_type": ["client_credentials"], "scope": ["federation"]}
