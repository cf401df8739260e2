"""A record is proven by its stage's key alone, for its topic, and as it is."""

import stat
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from pipelines.flink.frames import SourceRecord
from pipelines.flink.stage_mac import FILE, HEADER, StageMac, derived_key, make_secret, read_secret

SECRET = bytes(range(32))
MAC = StageMac(SECRET)


def record(key: bytes | None, value: bytes, headers: tuple[tuple[str, bytes], ...], at_ms: int = 5) -> SourceRecord:
    return SourceRecord(0, 7, at_ms, key, value, headers)


def test_the_proof_is_a_known_one() -> None:
    """As another implementation computes it: what the Java twin must come to as well."""
    key = HKDFExpand(SHA256(), 32, b"fluvial stage mac v1").derive(SECRET)
    covered = b"\x00\x02t.\x00\x00\x00\x01k\x00\x01\x00\x09fluvial-x\x00\x00\x00\x01h\x00\x00\x00\x01v"
    mac = HMAC(key, SHA256())
    mac.update(covered)
    assert MAC.header("t.", b"k", b"v", [("ce_id", b"e"), ("fluvial-x", b"h")]) == (HEADER, mac.finalize())


keys, values = st.none() | st.binary(max_size=20), st.binary(max_size=50)
names = st.sampled_from(["fluvial-source", "fluvial-tree", "ce_id"])
headers = st.lists(st.tuples(names, st.binary(max_size=9)), max_size=3).map(tuple)


@given(keys, values, headers, st.data())
def test_what_was_written_is_proven_and_nothing_like_it(
    key: bytes | None, value: bytes, others: tuple[tuple[str, bytes], ...], data: st.DataObject
) -> None:
    proof = MAC.header("events", key, value, others)
    assert MAC.proves("events", record(key, value, (*others, proof)))
    assert not MAC.proves("accepted", record(key, value, (*others, proof)))
    assert not MAC.proves("events", record(key, value, others))
    assert not StageMac(sha256(SECRET).digest()).proves("events", record(key, value, (*others, proof)))
    assert not MAC.proves("events", record(key, value + b"x", (*others, proof)))
    assert not MAC.proves("events", record((key or b"") + b"x", value, (*others, proof)))
    assert not MAC.proves("events", record(key, value, (*others, ("fluvial-source", b"?"), proof)))
    other_value = data.draw(values.filter(lambda drawn: drawn != value))
    assert not MAC.proves("events", record(key, other_value, (*others, proof)))


def test_headers_of_others_are_not_covered() -> None:
    proof = MAC.header("events", b"k", b"v")
    assert MAC.proves("events", record(b"k", b"v", (("traceparent", b"00-1"), proof)))


def test_what_is_older_than_the_key_needs_no_proof() -> None:
    mac = StageMac(SECRET, since_ms=1_000)
    assert mac.proves("events", record(b"k", b"v", (), at_ms=999))
    assert not mac.proves("events", record(b"k", b"v", (), at_ms=1_000))


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    make_secret(folder)
    first = (folder / FILE).read_text()
    make_secret(folder)
    assert (folder / FILE).read_text() == first
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == [FILE]
    header = StageMac.load(folder).header("events", None, b"v")
    assert StageMac.load(folder).proves("events", record(None, b"v", (header,), at_ms=1 << 50))


@pytest.mark.parametrize(
    "text", ["", "00" * 32, "00" * 31 + " 5", "zz" * 32 + " 5", "00" * 32 + " soon", "00" * 32 + " 5 6"]
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match="holds no key of stages"):
        StageMac.load(tmp_path)


def test_each_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    make_secret(tmp_path)
    secret, _ = read_secret(tmp_path)
    assert len({secret, derived_key(secret, b"a"), derived_key(secret, b"b")}) == 3
