"""A record with a header whose name is no UTF-8 keeps nobody from what follows. A broker takes it from anybody."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from fluvial.kafka.backend import MAX_HEADERS
from fluvial.kafka.kafka_python import backend
from fluvial.kafka.librdkafka.reader import headers_of

NAME = "name-of-the-header"


def batch(*names: str) -> bytes:
    """A batch with one record for each name, which has a header of it before another."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for number, name in enumerate(names):
        headers = [(name, b"1"), ("other", None)]
        builder.append(number, timestamp=1, key=b"k" * number or None, value=b"v%d" % number, headers=headers)
    return bytes(builder.build())


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc3"], ids=["no UTF-8", "a surrogate", "cut off"])
def test_kafka_python_reads_on(bad: bytes) -> None:
    assert backend.KafkaPythonBackend
    data = batch("first", NAME, "third", NAME)
    bad_name = bad + b"\xe4" * (len(NAME) - len(bad))
    records = MemoryRecords(data.replace(NAME.encode(), bad_name))
    found = list(records.next_batch())
    assert [record.value for record in found] == [b"v0", b"v1", b"v2", b"v3"]
    assert [record.key for record in found] == [None, b"k", b"kk", b"kkk"]
    assert [record.headers[0][0] for record in found] == ["first", "?" * len(NAME), "third", "?" * len(NAME)]
    assert all(record.headers[1] == ("other", None) for record in found)


class _Record:
    """As confluent-kafka's: its C code gives a result and leaves an error set."""

    def headers(self) -> None:
        raise SystemError("<method 'headers' of Message> returned a result with an exception set")


def test_librdkafka_gives_the_record_without_its_headers() -> None:
    assert headers_of(_Record()) == []


@pytest.mark.parametrize("extra", [0, 1])
def test_very_many_headers_are_not_kept(extra: int) -> None:
    headers = [("name", b"value")] * (MAX_HEADERS + extra)
    assert headers_of(SimpleNamespace(headers=lambda: headers)) == ([] if extra else headers)
    assert headers_of(SimpleNamespace(headers=lambda: None)) == []
