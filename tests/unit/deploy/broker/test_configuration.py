from pathlib import Path

from deploy.broker.configuration import Ports, configuration

PORTS = Ports(clients=9092, controller=9093, passwords=9094)


def settings(certificates: Path | None) -> dict[str, str]:
    lines = configuration(PORTS, certificates).splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


def test_a_plain_broker_has_one_door_on_loopback() -> None:
    found = settings(None)
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert "authorizer.class.name" not in found


def test_a_secure_broker_asks_at_each_door_and_grants_nothing_by_itself() -> None:
    found = settings(Path("../tls"))
    assert found["listeners"] == "SSL://127.0.0.1:9092,SASL_SSL://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093"
    assert found["advertised.listeners"] == found["listeners"]
    assert found["listener.security.protocol.map"] == "CONTROLLER:SSL,SSL:SSL,SASL_SSL:SASL_SSL"
    assert found["ssl.client.auth"] == "required"
    assert found["allow.everyone.if.no.acl.found"] == "false"
    assert found["super.users"] == "User:broker;User:admin"
    assert found["ssl.keystore.location"] == "../tls/broker.pem"
