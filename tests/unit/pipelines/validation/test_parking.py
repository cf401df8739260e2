"""Records wait in their lane, survive a restart, and are looked at when it is time."""

from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.validation.logic import ParkedRecord
from pipelines.validation.parking import Parking

LANE, OTHER = "lane-0", "lane-1"


class States:
    """The parked states of the lanes; `lane` is the one being judged, as Flink's current key is."""

    def __init__(self) -> None:
        self.lane = LANE
        self.of_lane: dict[str, dict[str, bytes]] = {LANE: {}, OTHER: {}}

    def items(self) -> list[tuple[str, bytes]]:
        return list(self.of_lane[self.lane].items())

    def put(self, key: str, value: bytes) -> None:
        self.of_lane[self.lane][key] = value

    def remove(self, key: str) -> None:
        del self.of_lane[self.lane][key]


def record(offset: int, key: bytes = b"alice") -> SourceRecord:
    return SourceRecord(2, offset, 1_000 + offset, key, b"value %d" % offset)


def park(parking: Parking, one: SourceRecord, look_at_ms: int, lane: str = LANE) -> None:
    parked = ParkedRecord(since_ms=10, refuse_at_ms=99, frame=source_frame(one))
    parking.add(lane, one, parked, look_at_ms)


def test_a_record_is_due_at_its_time_and_once_removed_no_more() -> None:
    parking = Parking(States())
    park(parking, record(1), 100)
    park(parking, record(2), 140)
    assert parking.due(LANE, 99) == []
    (waiting,) = parking.due(LANE, 100)
    assert (waiting.record, waiting.parked.refuse_at_ms) == (record(1), 99)
    parking.remove(LANE, waiting)
    assert [one.record.offset for one in parking.due(LANE, 200)] == [2]


def test_records_are_counted_by_key() -> None:
    parking = Parking(States())
    park(parking, record(1), 0)
    park(parking, record(2), 0)
    park(parking, record(3, b"bob"), 0)
    assert [parking.num_parked(LANE, key) for key in (b"alice", b"bob", None)] == [2, 1, 0]
    parking.remove(LANE, parking.due(LANE, 0)[0])
    assert parking.num_parked(LANE, b"alice") == 1


def test_one_timer_is_set_for_the_first_that_is_due() -> None:
    parking = Parking(States())
    assert parking.next_timer(LANE) is None
    park(parking, record(1), 140)
    assert parking.next_timer(LANE) == 140
    park(parking, record(2), 180)
    assert parking.next_timer(LANE) is None
    park(parking, record(3), 100)
    assert parking.next_timer(LANE) == 100
    parking.remove(LANE, parking.due(LANE, 100)[0])
    assert parking.next_timer(LANE, fired_ms=100) == 140


def test_after_a_restart_all_are_due_in_their_order() -> None:
    states = States()
    parking = Parking(states)
    for offset in (9, 10, 11):
        park(parking, record(offset), 5_000)
    states.lane = OTHER
    park(parking, record(1, b"bob"), 5_000, OTHER)

    again = Parking(states)
    assert [one.record for one in again.due(OTHER, 0)] == [record(1, b"bob")]
    states.lane = LANE
    assert [one.record for one in again.due(LANE, 0)] == [record(9), record(10), record(11)]
    assert again.num_parked(LANE, b"alice") == 3
    assert again.next_timer(LANE) == 0
