import hashlib
import json

import pytest

from fluvial.wire import records
from fluvial.wire.framing import decode
from fluvial.wire.records import FINGERPRINTS, SCHEMA_SHA256, SCHEMAS
from tests.unit.fluvial.wire import golden
from tests.unit.fluvial.wire.samples import RECORDS, sample
from tests.unit.fluvial.wire.slow_avro import canonical_form, crc_64_avro


def test_golden_bytes_fingerprints_and_schemas_have_not_moved() -> None:
    assert golden.golden() == json.loads(golden.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("record", RECORDS)
def test_a_golden_record_is_read(record: type) -> None:
    stored = json.loads(golden.FILE.read_text(encoding="utf-8"))[record.__name__]
    assert decode(bytes.fromhex(stored["bytes"]), record) == sample(record)


def test_the_slow_fingerprint_agrees_with_the_specification() -> None:
    assert crc_64_avro(b'"int"') == 0x7275D51A3F395C8F


@pytest.mark.parametrize("record", RECORDS)
def test_fingerprints_are_those_of_the_canonical_schemas(record: type) -> None:
    fingerprint = crc_64_avro(canonical_form(json.loads(SCHEMAS[record])).encode()).to_bytes(8, "little")
    assert FINGERPRINTS[fingerprint] is record


@pytest.mark.parametrize("record", RECORDS)
def test_the_whole_schema_is_pinned(record: type) -> None:
    assert hashlib.sha256(SCHEMAS[record].encode()).hexdigest() == SCHEMA_SHA256[record]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_an_immutable_value(record: type) -> None:
    value = sample(record)
    assert value == sample(record)
    assert hash(value) == hash(sample(record))
    assert not hasattr(value, "__dict__")


def test_types_that_records_share_are_one_class() -> None:
    assert type(sample(records.ModelUpdate).chunks[0]) is type(sample(records.ModelManifest).chunks[0])
    assert type(sample(records.SequencedEvent).event) is records.AuditEvent
