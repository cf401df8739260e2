from pathlib import Path

import pytest

from fluvial.identity.brokers import Brokers, Security

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
    assert "geheim" not in brokers.model_dump_json() + repr(brokers) + str(brokers)
    assert Brokers.model_validate_json(brokers.model_dump_json()) == brokers


def test_java_asks_for_certificate_and_key_in_one_file() -> None:
    apart = MUTUAL.model_copy(update={"key_file": Path("key.pem")})
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
        Security.model_validate(fields)


def test_a_value_can_be_a_key() -> None:
    one, same, other = (Brokers(bootstrap_servers=name, security=MUTUAL) for name in ("a:1", "a:1", "b:1"))
    assert {one, same, other} == {one, other}
