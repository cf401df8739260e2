"""Leaves are told when a checkpoint has signed them, whatever else lies in the topic, from any place on."""

from __future__ import annotations

import random

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import MAX_UNSIGNED, Proven, SignedLeaves
from fluvial.wire.errors import VerificationError
from fluvial.wire.records import AuditEvent
from governance.audit.sequencer import append

KEY = SigningKey.from_seed(b"l" * 32)
NAME = "log.example/audit"
LOG_KEY = NoteKey(name=NAME, public_key=KEY.public_key)


def history(size: int, salt: str = "") -> list[bytes]:
    end, leaves = ChainEnd(), []
    for number in range(size):
        event = AuditEvent(id=f"{salt}{number}", source="s", type="t", subject="u", time_ms=number, data=b"")
        end, leaf = append(end, event)
        leaves.append(leaf)
    return leaves


LEAVES, OTHERS = history(40), history(40, "other-")


def note(size: int, leaves: list[bytes] = LEAVES, key: SigningKey = KEY) -> bytes:
    tree = CompactRange.empty()
    for leaf in leaves[:size]:
        tree = tree.append(leaf_hash(leaf))
    return sign_checkpoint(Checkpoint(origin=NAME, size=size, root=tree.root()), key)


def read(log: SignedLeaves, records: list[bytes], first: int = 0) -> list[bytes]:
    return [leaf for offset, value in enumerate(records, first) for leaf in log.take_record(offset, value)]


def test_nothing_is_told_before_it_is_signed() -> None:
    log = SignedLeaves(LOG_KEY)
    assert read(log, LEAVES[:10]) == []
    assert log.take_checkpoint(note(7)) == LEAVES[:7]
    assert log.num_unsigned == 3
    assert log.take_checkpoint(note(12)) == []
    assert read(log, LEAVES[10:20], 10) == LEAVES[7:12]
    assert (log.proven.end.size, log.proven.offset) == (12, 12)


def test_who_goes_on_later_needs_nothing_of_what_came_before() -> None:
    log = SignedLeaves(LOG_KEY)
    log.take_checkpoint(note(20))
    read(log, LEAVES[:25])
    later = SignedLeaves(LOG_KEY, Proven.load(log.proven.dump()))
    later.take_checkpoint(note(40))
    assert read(later, LEAVES[20:], later.proven.offset) == LEAVES[20:]
    assert later.proven.tree.size == 40


def test_junk_and_a_history_that_nobody_signed_take_no_leaf_from_its_place() -> None:
    """Each record of the other history continues the log at its place, and comes first."""
    mixed = [record for pair in zip(OTHERS, LEAVES, strict=True) for record in (b"junk", *pair)]
    log = SignedLeaves(LOG_KEY)
    log.take_checkpoint(note(15))
    log.take_checkpoint(note(40))
    assert read(log, mixed) + log.search() == LEAVES


@pytest.mark.parametrize("seed", range(10))
def test_in_whatever_order_checkpoints_come_each_leaf_is_told_once(seed: int) -> None:
    chance = random.Random(seed)
    forged = note(3, OTHERS, SigningKey.generate())
    notes = [note(size) for size in chance.sample(range(1, 41), 6)] + [note(40), b"junk", forged]
    steps: list[tuple[str, int, bytes]] = [("leaf", offset, leaf) for offset, leaf in enumerate(LEAVES)]
    for each in notes:
        steps.insert(chance.randrange(len(steps) + 1), ("note", 0, each))
    log, told = SignedLeaves(LOG_KEY), []
    for kind, offset, value in steps:
        told += log.take_record(offset, value) if kind == "leaf" else log.take_checkpoint(value)
    assert told == LEAVES
    assert log.num_unsigned == 0


def test_two_faces_of_one_size_are_a_fork() -> None:
    for order in ((LEAVES, OTHERS), (OTHERS, LEAVES)):
        log = SignedLeaves(LOG_KEY)
        log.take_checkpoint(note(9, order[0]))
        with pytest.raises(VerificationError, match="forked"):
            log.take_checkpoint(note(9, order[1]))


def test_a_fork_behind_what_was_proven_is_found_at_its_size() -> None:
    log = SignedLeaves(LOG_KEY)
    log.take_checkpoint(note(9))
    read(log, LEAVES[:9])
    with pytest.raises(VerificationError, match="forked"):
        log.take_checkpoint(note(9, OTHERS))


def test_a_changed_leaf_is_proven_by_nothing() -> None:
    log = SignedLeaves(LOG_KEY)
    log.take_checkpoint(note(20))
    assert read(log, [*LEAVES[:5], OTHERS[5], *LEAVES[6:]]) + log.search() == []
    assert log.proven.end.size < log.signed_size == 20


def test_what_nobody_signs_is_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_UNSIGNED > 10_000
    monkeypatch.setattr("fluvial.transparency.signed_leaves.MAX_UNSIGNED", 20)
    with pytest.raises(VerificationError, match="none is signed"):
        read(SignedLeaves(LOG_KEY), LEAVES)


@pytest.mark.parametrize("text", ["", "{}", '{"tree": "00"}', '{"tree": 1, "previous_sha256": 2, "offset": 3}'])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Proven.load(text)
