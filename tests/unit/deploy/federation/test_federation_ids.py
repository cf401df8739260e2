"""Ids of federations: drawn when topics are made, kept beside the keys, another one for each beginning."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.federation import federation_ids
from deploy.federation.keys import ServiceKeys
from fluvial.identity.brokers import Brokers
from fluvial.identity.federation import Federation
from pipelines.flink.frames import SourceRecord
from pipelines.flink.stage_mac import StageMac

BROKERS = Brokers(bootstrap_servers="none:0")


def test_an_id_is_kept_and_each_prefix_has_its_own(tmp_path: Path) -> None:
    first, second = (federation_ids.begin(tmp_path, prefix) for prefix in ("a.", "b."))
    assert [federation_ids.find(tmp_path, prefix) for prefix in ("a.", "b.", "c.")] == [first, second, None]
    assert first != second
    assert stat.S_IMODE((tmp_path / federation_ids.FILE).stat().st_mode) == 0o600


def test_a_federation_begun_anew_with_the_same_keys_is_another_one(tmp_path: Path) -> None:
    """Its records, its log, and what its stages prove to one another."""
    keys = ServiceKeys.load_or_make(tmp_path)

    def begun() -> tuple[Federation, StageMac]:
        own = federation_ids.begin(tmp_path, "a.")
        federation = keys.federation(BROKERS, topic_prefix="a.", partitions=1, federation_id=own)
        return federation, StageMac.load(tmp_path)

    (before, mac_before), (after, mac_after) = begun(), begun()
    assert before.topics.scope != after.topics.scope
    assert before.log_key != after.log_key
    proof = mac_before.header("a.events", b"k", b"v")
    record = SourceRecord(0, 0, 1 << 50, b"k", b"v", (proof,))
    assert mac_before.proves("a.events", record)
    assert not mac_after.proves("a.events", record)


def test_two_prefixes_with_one_id_are_two_federations() -> None:
    own = "00" * 16
    federations = [
        Federation(
            federation_id=own,
            bootstrap_servers="none:0",
            topic_prefix=prefix,
            operator_key="00" * 32,
            registrar_key="00" * 32,
            aggregator_key="00" * 32,
            log_key="none",
        )
        for prefix in ("a.", "b.")
    ]
    assert federations[0].topics.scope != federations[1].topics.scope


def test_the_file_of_a_federation_without_an_id_is_one_of_the_first_release(tmp_path: Path) -> None:
    """That release refuses a file with a field that it does not know."""
    keys = ServiceKeys.load_or_make(tmp_path / "keys")
    federation = keys.federation(BROKERS, topic_prefix="a.", partitions=1)
    federation.save(tmp_path / "federation.json")
    assert "federation_id" not in (tmp_path / "federation.json").read_text()
    assert Federation.load(tmp_path / "federation.json").topics.scope == ""
    named = keys.federation(BROKERS, topic_prefix="a.", partitions=1, federation_id="00" * 16)
    named.save(tmp_path / "federation.json")
    assert Federation.load(tmp_path / "federation.json") == named


@pytest.mark.parametrize("content", ["", "junk", "[]", "null", '{"fluvial.": 1}'])
def test_ids_that_are_damaged_are_neither_lost_nor_drawn_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / federation_ids.FILE).write_text(content)
    for ask in (federation_ids.find, federation_ids.begin):
        with pytest.raises(ValueError, match="restore it from the backup"):
            ask(tmp_path, "fluvial.")
    assert (tmp_path / federation_ids.FILE).read_text() == content
