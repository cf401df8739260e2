"""Figures of a flood: what did not come counts as infinitely late; and what flooders send is refused."""

import time

import pytest

from deploy.bench.flood import Judged, Verdicts, figures
from deploy.bench.flooder import STOCK, junk
from deploy.bench.load import Load
from fluvial.identity.envelope import open_envelope, verify_envelope
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Message, Position
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import ModelUpdate, Verdict
from tests.unit.fluvial.wire.samples import sample


def positions(count: int) -> list[Position]:
    return [Position(partition=0, offset=number, timestamp_ms=1_000 + 10 * number) for number in range(count)]


def test_latencies_are_told_by_rank() -> None:
    told = figures(positions(100), [Judged(written_ms=each, seen_ms=2 * each) for each in range(1, 101)])
    assert told == {
        "updates": 100,
        "judged": 100,
        "per_second": pytest.approx(101.0),
        "p50_ms": 100.0,
        "p99_ms": 198.0,
        "written_p50_ms": 50.0,
        "written_p99_ms": 99.0,
    }


def test_what_never_comes_is_the_latest_of_all() -> None:
    told = figures(positions(100), [Judged(5, 5)] * 98)
    assert (told["judged"], told["p50_ms"], told["p99_ms"]) == (98, 5.0, -1.0)


def test_what_comes_after_the_phase_is_not_in_its_rate() -> None:
    assert figures(positions(11), [Judged(1, 100_000)] * 11)["per_second"] == 0.0


class OneReader:
    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages

    def poll(self, timeout: float) -> list[Message]:
        found, self.messages = self.messages, []
        return found

    def caught_up(self) -> bool:
        return True

    def close(self) -> None:
        pass


def test_verdicts_are_found_by_their_place_whatever_else_is_in_the_topic() -> None:
    verdict = sample(Verdict)
    place = Position(partition=verdict.source_partition, offset=verdict.source_offset, timestamp_ms=900)
    values = [b"junk", encode(verdict), encode(verdict)]
    messages = [
        Message(topic="verdicts", partition=0, offset=number, timestamp_ms=1_000 + number, key=b"", value=value)
        for number, value in enumerate(values)
    ]
    before_ms = int(time.time() * 1000)
    with Verdicts(OneReader(messages)) as verdicts:
        (found,) = verdicts.of([place, positions(1)[0]], timeout=0.2)
        (again,) = verdicts.of([place], timeout=0.2)
    assert found == again
    assert found.written_ms == 101
    assert before_ms <= found.seen_ms + 900 <= time.time() * 1000


def test_the_junk_of_a_participant_is_signed_and_that_of_a_stranger_by_nobody_known() -> None:
    round_, key = Load.of(1).rounds[0], SigningKey.generate()
    own, strange = list(junk(round_, "flooder", key)), list(junk(round_, "stranger", None))
    assert {name for name, _ in own} == {"flooder"}
    assert len({name for name, _ in strange}) == len({raw for _, raw in own}) == STOCK
    envelope = open_envelope(own[0][1])
    assert verify_envelope(envelope, key.public_key)
    assert decode(envelope.payload, ModelUpdate).base_digest != round_.base_digest
