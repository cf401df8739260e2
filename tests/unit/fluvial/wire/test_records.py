import hashlib
import json

import pytest

from fluvial.wire import records
from fluvial.wire.framing import decode, version_of
from fluvial.wire.version import Version
from tests.unit.fluvial.wire import golden
from tests.unit.fluvial.wire.samples import EVERY_VERSION, RECORDS, sample, sample_of
from tests.unit.fluvial.wire.slow_avro import canonical_form, crc_64_avro

GOLDEN_OF_FIRST_RELEASE = 17, "2591d22d9c2d46b0ec050ac4a63c25c122c66349fd64f7ad04591f9346a82e63"


@pytest.mark.parametrize("version", golden.released(), ids=str)
def test_golden_bytes_fingerprints_and_schemas_have_not_moved(version: Version) -> None:
    assert golden.golden(version) == json.loads(golden.path(version).read_text(encoding="utf-8")), (
        "released for ever; where the file is missing, `python -m tests.unit.fluvial.wire.golden` makes it"
    )


@pytest.mark.parametrize("version", golden.released(), ids=str)
def test_a_golden_record_is_read(version: Version) -> None:
    data = bytes.fromhex(json.loads(golden.path(version).read_text(encoding="utf-8"))["bytes"])
    assert decode(data, version.record) == sample_of(version)
    assert version_of(data) is version


def test_golden_files_are_never_written_again() -> None:
    listed = golden.DIGESTS.read_text(encoding="utf-8").splitlines(keepends=True)
    assert sorted(listed) == sorted(golden.digest_line(file) for file in golden.FOLDER.glob("*/*.json"))
    number, digest = GOLDEN_OF_FIRST_RELEASE
    assert hashlib.sha256("".join(listed[:number]).encode()).hexdigest() == digest


def test_the_slow_fingerprint_agrees_with_the_specification() -> None:
    assert crc_64_avro(b'"int"') == 0x7275D51A3F395C8F


@pytest.mark.parametrize("version", EVERY_VERSION, ids=str)
def test_fingerprints_are_those_of_the_canonical_schemas(version: Version) -> None:
    assert version.fingerprint == crc_64_avro(canonical_form(json.loads(version.schema)).encode()).to_bytes(8, "little")


@pytest.mark.parametrize("version", EVERY_VERSION, ids=str)
def test_the_whole_schema_is_pinned(version: Version) -> None:
    assert hashlib.sha256(version.schema.encode()).hexdigest() == version.sha256


def test_no_two_versions_have_one_fingerprint() -> None:
    assert len({version.fingerprint for version in EVERY_VERSION}) == len(EVERY_VERSION)


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_an_immutable_value(record: type) -> None:
    value = sample(record)
    assert value == sample(record)
    assert hash(value) == hash(sample(record))
    assert not hasattr(value, "__dict__")


def test_types_that_records_share_are_one_class() -> None:
    assert type(sample(records.ModelUpdate).chunks[0]) is type(sample(records.ModelManifest).chunks[0])
    assert type(sample(records.SequencedEvent).event) is records.AuditEvent
