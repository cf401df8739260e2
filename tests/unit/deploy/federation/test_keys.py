"""Keys of the services: made once, readable by their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

from deploy.federation.keys import LOG_ORIGIN, ServiceKeys
from fluvial.identity.brokers import Brokers
from fluvial.transparency.note import NoteKey
from pipelines.flink.stage_mac import FILE, read_secret


def test_keys_are_made_once(tmp_path: Path) -> None:
    first, second = (ServiceKeys.load_or_make(tmp_path / "keys") for _ in range(2))
    assert first.operator.public_key == second.operator.public_key
    assert len({first.operator.public_key, first.registrar.public_key, first.aggregator.public_key}) == 3


def test_new_keys_believe_no_record_without_proof_whatever_this_hosts_clock_says(tmp_path: Path) -> None:
    ServiceKeys.load_or_make(tmp_path)
    assert read_secret(tmp_path)[1] == 0
    (tmp_path / FILE).unlink()  # as the first release left it
    ServiceKeys.load_or_make(tmp_path)
    assert read_secret(tmp_path)[1] > 0, "what its stages wrote without proof still counts"


def test_key_files_are_their_owners_alone(tmp_path: Path) -> None:
    ServiceKeys.load_or_make(tmp_path / "keys")
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == ["aggregator.pem", "log.pem", "operator.pem", "registrar.pem", "stages.key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_federation_holds_the_public_halves(tmp_path: Path) -> None:
    keys = ServiceKeys.load_or_make(tmp_path)
    federation = keys.federation(Brokers(bootstrap_servers="127.0.0.1:9092"), topic_prefix="x.", partitions=3)
    assert federation.aggregator_key == keys.aggregator.public_key.hex()
    log_key = NoteKey.parse(federation.log_key)
    assert (log_key.name, log_key.public_key) == (LOG_ORIGIN, keys.log.public_key)
    assert (federation.topic_prefix, federation.partitions) == ("x.", 3)
