import pytest

from fluvial.wire.media_types import media_type
from fluvial.wire.records import ModelUpdate, Round
from tests.unit.fluvial.wire.samples import RECORDS


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (ModelUpdate, "application/vnd.fluvial.model-update.v1+avro"),
        (Round, "application/vnd.fluvial.round.v1+avro"),
    ],
)
def test_a_media_type_names_record_and_version(record: type, expected: str) -> None:
    assert media_type(record) == expected


def test_no_two_records_share_a_media_type() -> None:
    assert len({media_type(record) for record in RECORDS}) == len(RECORDS)
