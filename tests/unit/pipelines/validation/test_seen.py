"""What was accepted is remembered for a while; nothing else is."""

from pipelines.validation.seen import KEPT_ROUNDS, SeenByParticipant, SeenUpdates
from tests.unit.pipelines.aggregation.builders import an_update


class Memory(dict[str, bytes]):
    """A dict with the methods of Flink's MapState."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value

    def remove(self, key: str) -> None:
        self.pop(key, None)


def test_an_accepted_update_is_found_by_attempt_and_by_digest() -> None:
    seen = SeenUpdates(Memory())
    first, second = an_update(1), an_update(2, attempt=2)
    seen.remember(first)
    seen.remember(second)
    assert seen.accepted("demo", 1, 1) == first.record_sha256
    assert seen.accepted("demo", 1, 2) == second.record_sha256
    assert seen.accepted("demo", 1, 3) is None
    assert seen.accepted("other", 1, 1) is None
    assert seen.digest_seen(first.record_sha256)
    assert not seen.digest_seen(bytes(32))


def test_a_round_is_forgotten_after_a_while() -> None:
    state = Memory()
    seen = SeenUpdates(state)
    for round_ in range(1, KEPT_ROUNDS + 11):
        seen.remember(an_update(round_, round=round_, record_sha256=round_.to_bytes(32, "big")))
    assert len(state) == KEPT_ROUNDS
    assert not seen.digest_seen((10).to_bytes(32, "big"))
    assert seen.digest_seen((11).to_bytes(32, "big"))


def test_a_mirror_is_filled_from_what_was_stored() -> None:
    state = Memory()
    SeenUpdates(state).remember(an_update(1))
    again = SeenByParticipant(state)
    assert again.of("participant-1").accepted("demo", 1, 1) == an_update(1).record_sha256
    assert again.of("participant-1").digest_seen(an_update(1).record_sha256)
    assert again.of("participant-1") is again.of("participant-1")
