"""Clients of Kafka are made in `fluvial.kafka` alone, where their settings are: whoever makes one elsewhere forgets the
security, or a setting that cost somebody a day."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
FOLDERS = ("fluvial", "models", "governance", "pipelines", "deploy")
PLACE = "fluvial/kafka/"
WITHOUT_OUR_CODE = "deploy/interop/"
LIBRARIES = ("confluent_kafka", "kafka")
CLIENTS = frozenset(
    f"{client}{kind}"
    for client in ("", "AIO", "Avro", "Serializing", "Deserializing", "Kafka", "KafkaNet")
    for kind in ("Producer", "Consumer", "AdminClient", "Client")
)


def made_in(code: str) -> Iterator[str]:
    """Clients that the code makes, or names where it might hand the name on, other than in annotations."""
    if not any(library in code for library in LIBRARIES):
        return  # nothing to parse
    tree = ast.parse(code)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            libraries = (alias for alias in node.names if alias.name.split(".")[0] in LIBRARIES)
            names |= {(alias.asname or alias.name).split(".")[0]: "" for alias in libraries}
    if not names:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for used in (node.func, *node.args, *(keyword.value for keyword in node.keywords)):
                name = ast.unparse(used)
                base, _, attribute = name.partition(".")
                if base in names and (attribute.rpartition(".")[2] or names[base]) in CLIENTS:
                    yield f"line {node.lineno}: {name}"


def test_clients_of_kafka_are_made_in_their_place_alone() -> None:
    found = {}
    for folder in FOLDERS:
        for file in sorted((CHECKOUT / folder).rglob("*.py")):
            name = file.relative_to(CHECKOUT).as_posix()
            if not name.startswith((PLACE, WITHOUT_OUR_CODE)) and (made := list(made_in(file.read_text()))):
                found[name] = made
    assert found == {}, "use fluvial.kafka.connect, or fluvial.kafka.librdkafka.clients"


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("from confluent_kafka import Producer\nProducer({})", True),
        ("from confluent_kafka import Producer as P\nP({})", True),
        ("from confluent_kafka.admin import AdminClient\nAdminClient({})", True),
        ("import confluent_kafka\nconfluent_kafka.Consumer({})", True),
        ("import confluent_kafka.admin as a\na.AdminClient({})", True),
        ("import kafka\nkafka.KafkaAdminClient()", True),
        ("from functools import partial\nfrom confluent_kafka import Consumer\npartial(Consumer, {})", True),
        ("from confluent_kafka import Producer\ndef f(p: Producer) -> Producer: return g(p)", False),
        ("from confluent_kafka import TopicPartition\nTopicPartition('a')", False),
        ("from elsewhere import Producer\nProducer()", False),
    ],
)
def test_a_client_is_found_however_it_is_made(code: str, made: bool) -> None:
    assert bool(list(made_in(code))) == made
