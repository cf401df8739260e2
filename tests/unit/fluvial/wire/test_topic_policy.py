from pathlib import Path
from typing import Any

import pytest

from fluvial.wire.retention import DAYS
from fluvial.wire.topic_policy import EVIDENCE_DAYS, TopicPolicy
from fluvial.wire.topics import NAMES, Topics, TopicSettings

DAY_MS = 24 * 3_600_000


def settings(**fields: Any) -> dict[str, TopicSettings]:
    policy = TopicPolicy(**fields)
    return {one.name.removeprefix("x."): one for one in Topics("x.").all_settings(2, policy)}


def test_what_is_decided_is_what_brokers_are_asked_for() -> None:
    found = settings(retention_days={"updates": 14, "update-blobs": 2}, replication_factor=3, min_insync_replicas=2)
    assert found["updates"].config["retention.ms"] == str(14 * DAY_MS)
    assert found["update-blobs"].config["retention.ms"] == str(2 * DAY_MS)
    assert found["quarantine"].config["retention.ms"] == str(7 * DAY_MS)
    assert {one.replication_factor for one in found.values()} == {3}
    assert {one.config["min.insync.replicas"] for one in found.values()} == {"2"}


def test_nothing_stays_much_longer_than_it_is_kept() -> None:
    """A segment expires as a whole, a while after its first record's time."""
    for name in DAYS:
        config = settings()[name.replace("_", "-")].config
        segment_ms = int(config.get("segment.ms", 7 * DAY_MS))
        assert segment_ms <= max(3_600_000, int(config["retention.ms"]) // 24)


@pytest.mark.parametrize("name", ["verdicts", "receipts"])
def test_evidence_is_kept_for_six_months_at_least(name: str) -> None:
    assert TopicPolicy(retention_days={name: EVIDENCE_DAYS}).days(name) == EVIDENCE_DAYS
    with pytest.raises(ValueError, match=rf"retention_days.{name} is 182, below evidence_days, which is 183"):
        TopicPolicy(retention_days={name: 182})
    shorter = TopicPolicy(evidence_days=90, retention_days={name: 90})
    assert shorter.retention_ms(name) == 90 * DAY_MS
    with pytest.raises(ValueError, match="below evidence_days"):
        TopicPolicy(evidence_days=400)


@pytest.mark.parametrize("name", sorted({*NAMES} - {*DAYS}))
def test_what_is_verified_from_its_first_record_on_is_kept_for_ever(name: str) -> None:
    with pytest.raises(ValueError, match=f"retention_days.{name} cannot be set"):
        TopicPolicy(retention_days={name: 1000})


def test_verdicts_outlive_the_updates_that_they_are_on() -> None:
    with pytest.raises(ValueError, match="updates, kept longer"):
        TopicPolicy(retention_days={"updates": 366})


def test_no_round_loses_its_chunks() -> None:
    with pytest.raises(ValueError, match="at least a day"):
        TopicPolicy(retention_days={"update_blobs": 0.5})


def test_a_policy_under_which_nothing_could_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing could be written"):
        TopicPolicy(min_insync_replicas=2)


@pytest.mark.parametrize("text", ["retention_days: [1]", "more: 1", "evidence_days: .nan", "evidence_days: 0", "- 1"])
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"topics\.yaml"):
        TopicPolicy.read(file)


def test_a_policy_is_read_as_it_was_written(tmp_path: Path) -> None:
    policy = TopicPolicy(retention_days={"updates": 14}, replication_factor=3)
    (tmp_path / "topics.json").write_text(policy.model_dump_json())
    assert TopicPolicy.read(tmp_path / "topics.json") == policy
    (tmp_path / "empty.yaml").write_text("# nothing decided\n")
    assert TopicPolicy.read(tmp_path / "empty.yaml") == TopicPolicy()
