import pytest

from fluvial.wire.topics import NAMES, Topics, TopicSettings

SETTINGS = {settings.name: settings for settings in Topics("study.").all_settings(6)}


def _of(name: str) -> TopicSettings:
    return SETTINGS[getattr(Topics("study."), name)]


def test_every_name_has_settings_and_carries_the_prefix() -> None:
    assert sorted(SETTINGS) == sorted(f"study.{name.replace('_', '-')}" for name in NAMES)
    assert sorted(SETTINGS) == sorted(getattr(Topics("study."), name) for name in NAMES)


def test_the_brokers_clock_is_the_only_one() -> None:
    assert {settings.config["message.timestamp.type"] for settings in SETTINGS.values()} == {"LogAppendTime"}


def test_no_reader_ever_inflates_anything() -> None:
    assert {settings.config["compression.type"] for settings in SETTINGS.values()} == {"uncompressed"}


@pytest.mark.parametrize("name", ["registry", "rounds", "model_blobs"])
def test_what_has_a_newest_value_is_compacted_but_not_at_once(name: str) -> None:
    assert _of(name).config["cleanup.policy"] == "compact"
    assert int(_of(name).config["min.compaction.lag.ms"]) >= 3_600_000
    assert "retention.ms" not in _of(name).config


def test_nothing_else_is_compacted() -> None:
    compacted = {name for name in NAMES if _of(name).config["cleanup.policy"] == "compact"}
    assert compacted == {"registry", "rounds", "model_blobs", "heartbeats"}


def test_heartbeats_are_soon_their_last_alone() -> None:
    assert _of("heartbeats").config["min.compaction.lag.ms"] == "0"
    assert int(_of("heartbeats").config["segment.ms"]) <= 3_600_000  # an open segment is not compacted


@pytest.mark.parametrize("name", ["models", "releases", "audit", "checkpoints", "leases"])
def test_evidence_is_kept_for_ever(name: str) -> None:
    assert _of(name).config["cleanup.policy"] == "delete"
    assert _of(name).config["retention.ms"] == "-1"


def test_participants_tensors_go_after_hours() -> None:
    config = _of("update_blobs").config
    assert 0 < int(config["retention.ms"]) <= 24 * 3_600_000
    assert int(config["segment.ms"]) <= 3_600_000  # an open segment does not expire


@pytest.mark.parametrize("name", ["registry", "rounds", "models", "audit", "checkpoints", "leases", "heartbeats"])
def test_what_has_an_order_has_one_partition(name: str) -> None:
    assert _of(name).partitions == 1


@pytest.mark.parametrize("name", ["update_blobs", "model_blobs", "updates"])
def test_shards_are_the_partitions_asked_for(name: str) -> None:
    assert _of(name).partitions == 6


@pytest.mark.parametrize("name", ["update_blobs", "model_blobs"])
def test_a_chunk_and_its_key_fit_in_a_record(name: str) -> None:
    assert int(_of(name).config["max.message.bytes"]) == 2 << 20
