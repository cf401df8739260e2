import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from fluvial.identity.federation import Federation, Security

FEDERATION = Federation(
    bootstrap_servers="127.0.0.1:9092",
    topic_prefix="study.",
    operator_key="aa" * 32,
    registrar_key="bb" * 32,
    aggregator_key="cc" * 32,
    log_key="study.example/audit+00000000+AQ==",
)


def test_a_saved_federation_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "federation.json"
    secured = replace(FEDERATION, security=Security(protocol="SSL", ca_file=tmp_path / "ca.pem"))
    for federation in (FEDERATION, secured):
        federation.save(path)
        assert Federation.load(path) == federation


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "federation.json"
    FEDERATION.save(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Federation.load(path) == FEDERATION


def test_files_that_are_named_relatively_lie_beside_the_federations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = Security(
        protocol="SSL", ca_file=Path("ca.pem"), certificate_file=Path("/a/me.pem"), key_file=Path("me.pem")
    )
    replace(FEDERATION, security=security).save(tmp_path / "federation.json")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "federation.json", Path("federation.json")):
        loaded = Federation.load(path).security
        assert (loaded.ca_file, loaded.key_file) == (tmp_path / "ca.pem", tmp_path / "me.pem")
        assert loaded.certificate_file == Path("/a/me.pem")
        assert loaded.sasl_password_file is None


def test_topics_carry_the_federations_prefix() -> None:
    assert FEDERATION.topics.update_blobs == "study.update-blobs"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operator_key", "AA" * 32),
        ("operator_key", "aa" * 31),
        ("registrar_key", "not hexadecimal"),
        ("partitions", 0),
        ("partitions", 1 << 31),
        ("bootstrap_servers", ""),
        ("bootstrap_servers", " , "),
        ("topic_prefix", "our study."),
        ("topic_prefix", "x" * 201),
        ("unknown_field", "x"),
        ("security", {"protocol": "SASL_PLAINTEXT"}),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "federation.json"
    path.write_text(json.dumps({**json.loads(FEDERATION.to_json()), field: value}), encoding="utf-8")
    with pytest.raises(ValueError, match=field):
        Federation.load(path)


def test_a_federation_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        FEDERATION.partitions = 8  # type: ignore[misc]  # that is the point


def test_a_federation_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "federation.json"
    FEDERATION.save(path)
    monkeypatch.setattr("os.fsync", _full)
    with pytest.raises(OSError, match="no room"):
        replace(FEDERATION, partitions=8).save(path)
    assert Federation.load(path) == FEDERATION
    assert list(tmp_path.iterdir()) == [path]


def _full(_: int) -> None:
    raise OSError("no room")


def test_a_key_that_stands_twice_is_refused_and_not_one_of_the_two_taken(tmp_path: Path) -> None:
    """Whoever looks at the file sees one operator's key, and would trust the other."""
    path = tmp_path / "federation.json"
    path.write_text(FEDERATION.to_json().rstrip()[:-1] + f', "operator_key": "{"ab" * 32}"}}', encoding="utf-8")
    with pytest.raises(ValueError, match="the key 'operator_key' stands twice"):
        Federation.load(path)
