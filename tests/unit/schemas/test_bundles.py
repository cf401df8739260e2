"""What other languages are given of the contract, read by a parser that is not ours."""

import io
import json

import fastavro

from fluvial.wire._generated.versions import VERSIONS
from schemas.bundles import by_fingerprint, union_of_all
from schemas.contract import fingerprint, load
from tests.unit.fluvial.wire.samples import RECORDS, newest, sample, schema_of
from tests.unit.fluvial.wire.slow_avro import long_, write

HISTORIES = load()


def test_one_parser_takes_the_newest_version_of_every_record() -> None:
    """No name stands twice and none is used before it is defined; each record has the bytes that its own file gives."""
    union = json.loads(union_of_all(HISTORIES))
    parsed = fastavro.parse_schema(union)
    places = {schema["name"]: place for place, schema in enumerate(union)}
    assert len(places) == len(union)
    for record in RECORDS:
        out = io.BytesIO()
        avro = sample(record).to_avro()
        fastavro.schemaless_writer(out, parsed, (f"org.fluvial.v1.{record.__name__}", avro))
        assert out.getvalue() == long_(places[record.__name__]) + write(schema_of(newest(record)), avro)


def test_the_documentation_and_defaults_travel_too() -> None:
    bundled = {schema["name"]: schema for schema in json.loads(union_of_all(HISTORIES))}
    scores = next(field for field in bundled["Verdict"]["fields"] if field["name"] == "scores")
    assert (scores["default"], scores["type"]) == ([], {"type": "array", "items": "Score"})
    assert bundled["Reason"]["default"] == "OTHER"


def test_every_version_is_found_by_the_fingerprint_in_headers() -> None:
    found = json.loads(by_fingerprint(HISTORIES))
    expected = {each.fingerprint.hex(): each for versions in VERSIONS.values() for each in versions}
    assert found.keys() == expected.keys()
    for mark, entry in found.items():
        assert (entry["record"], entry["version"]) == (expected[mark].record.__name__, expected[mark].number)
        assert entry["schema"] == json.loads(expected[mark].schema)
        assert fingerprint(entry["schema"]) == mark
