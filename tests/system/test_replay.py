"""`fluvial model replay` over a real broker. That jobs publish what replay computes, test_recovery.py shows."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.bench.seeding import register, wait
from deploy.broker.process import Broker
from deploy.broker.topics import create_topics
from deploy.commands.replay import replay
from deploy.federation.keys import ServiceKeys
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport, connect
from fluvial.wire.layout import model_digest
from fluvial.wire.records import ModelManifest
from tests.unit.pipelines.replay import memory_log

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


class ReplayedFederation:
    """The log in memory, put into Kafka record by record: with one partition, places in lists become offsets."""

    def __init__(
        self, transport: Transport, federation: Federation, keys: ServiceKeys, file: Path, rule: str = memory_log.KRUM
    ) -> None:
        self.file = file
        self._transport, self._topics, self._keys = transport, federation.topics, keys
        register(transport, federation.topics, keys, memory_log.KEYS)
        self.log = memory_log.federation(versions=3, rule=rule)
        for name, values in self.log.topics.items():
            positions = wait(
                transport.produce(f"{federation.topic_prefix}{name}", bytes(value or b""), key=b"key", partition=0)
                for value in values
            )
            assert [position.offset for position in positions] == list(range(len(values)))
        for manifest in self.log.published.values():
            self.publish(manifest)

    def publish(self, manifest: ModelManifest) -> None:
        keyid = "aggregator" if manifest.version else "operator"
        key = self._keys.aggregator if manifest.version else self._keys.operator
        sealed = seal(manifest, key, keyid)
        wait([self._transport.produce(self._topics.models, sealed, key=f"t/{manifest.version}".encode())])

    def replay(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of the command."""
        app = typer.Typer()
        app.command()(replay)
        result = CliRunner().invoke(app, [*arguments, "--federation", str(self.file)])
        return result.exit_code, result.output


@contextmanager
def replayed_federation(broker: Broker, directory: Path, rule: str) -> Iterator[ReplayedFederation]:
    keys = ServiceKeys.load_or_make(directory / "keys")
    parties = keys.federation(broker.brokers, topic_prefix=f"{uuid.uuid4().hex}.", partitions=1)
    create_topics(parties.brokers, parties.topics.all_settings(1))
    parties.save(directory / "federation.json")
    transport = connect(parties.brokers, "test-replay")
    try:
        yield ReplayedFederation(transport, parties, keys, directory / "federation.json", rule)
    finally:
        transport.close()


@pytest.fixture
def replayed(broker: Broker, tmp_path: Path) -> Iterator[ReplayedFederation]:
    with replayed_federation(broker, tmp_path, memory_log.KRUM) as federation:
        yield federation


def test_every_version_comes_out_to_the_bit(replayed: ReplayedFederation) -> None:
    for version in range(4):
        status, output = replayed.replay("t", str(version))
        assert (status, "NOT" in output) == (0, False), output
        assert f"bit-exact: t, version {version}" in output
    status, output = replayed.replay("t", "3", "--json")
    found = json.loads(output)
    assert status == 0
    assert (found["bit_exact"], found["differs"], found["contributions"]) == (True, [], 5)


def test_an_aggregator_that_lies_is_found_out(replayed: ReplayedFederation) -> None:
    true = replayed.log.published[3]
    chunks = (replace(true.chunks[0], sha256=bytes(32)), *true.chunks[1:])
    digest = model_digest(chunk.sha256 for chunk in chunks)
    replayed.publish(replace(true, version=4, chunks=chunks, model_digest=digest))
    status, output = replayed.replay("t", "4")
    assert status == 1
    assert "chunk 0 does not have the manifest's digest" in output
    assert "NOT bit-exact" in output


def test_what_cannot_be_replayed_says_so(replayed: ReplayedFederation) -> None:
    status, output = replayed.replay("t", "9")
    assert status == 2
    assert "versions 0 to 3 are published" in output
    first = replayed.log.published[0]
    gone = tuple(replace(chunk, offset=10_000 + chunk.offset) for chunk in first.chunks)
    lost = replace(first, task="lost", chunks=gone)
    replayed.publish(lost)
    status, output = replayed.replay("lost", "0")
    assert status == 1
    assert "the registry does not have the task" in output


def test_a_model_without_somebody(broker: Broker, tmp_path: Path) -> None:
    with replayed_federation(broker, tmp_path, memory_log.MEAN) as replayed:
        status, output = replayed.replay("t", "3", "--without", "eve", "--without", "bob", "--from", "2")
        assert status == 0, output
        assert "versions 2 to 3 without bob, eve: 4 of 10 updates left out" in output
        assert "distance to the published model" in output
        assert "not evaluated" in output
        status, output = replayed.replay("t", "3", "--without", "eve", "--json")
        found = json.loads(output)
        assert status == 0
        assert (found["versions"], found["updates_left"], found["metrics_after"]) == ([3], [4], None)
        assert found["distance"] > 0
        status, output = replayed.replay("t", "3", "--without", "zoe")
        assert status == 2
        assert "zoe took no part" in output
        status, output = replayed.replay("t", "3", "--from", "2")
        assert status == 2
        assert "it needs --without" in output
