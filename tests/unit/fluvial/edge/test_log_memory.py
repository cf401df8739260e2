"""A participant takes part in no federation whose log was forked or rolled back."""

import os
from pathlib import Path

import pytest

from fluvial.edge import Participant
from fluvial.edge.log_memory import LogMemory
from fluvial.identity.keys import SigningKey
from fluvial.transparency.checkpoint import Checkpoint, sign_checkpoint
from fluvial.transparency.note import NoteKey
from fluvial.wire.errors import VerificationError
from tests.unit.fluvial.edge.world import LOG, World

KEY = SigningKey.from_seed(b"l" * 32)
NAME = "log.example/audit"
LOG_KEY = NoteKey(name=NAME, public_key=KEY.public_key)


def note(size: int, root: int = 7, key: SigningKey = KEY, name: str = NAME) -> bytes:
    return sign_checkpoint(Checkpoint(origin=name, size=size, root=bytes([root]) * 32), key)


def memory(tmp_path: Path) -> LogMemory:
    return LogMemory(tmp_path / "state" / "log.checkpoint", LOG_KEY)


def test_the_checkpoint_of_most_leaves_is_remembered(tmp_path: Path) -> None:
    assert memory(tmp_path).take([note(3), note(9, 9), note(5)], is_whole=True)
    known = memory(tmp_path).known
    assert known is not None
    assert (known.size, known.root) == (9, bytes([9]) * 32)
    assert (tmp_path / "state" / "log.checkpoint").read_bytes() == note(9, 9)


def test_a_link_that_another_laid_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file = tmp_path / "log.checkpoint"
    remembered = LogMemory(file, LOG_KEY)
    file.symlink_to(victim)
    assert remembered.take([note(3)], is_whole=True)
    assert victim.read_text() == "mine"
    assert (file.is_symlink(), file.read_bytes(), file.stat().st_mode & 0o077) == (False, note(3), 0)


def test_a_log_that_grew_or_stayed_is_the_same_log(tmp_path: Path) -> None:
    memory(tmp_path).take([note(9)], is_whole=True)
    assert memory(tmp_path).take([note(9), note(9)], is_whole=False)
    assert memory(tmp_path).take([note(9), note(12, 12)], is_whole=False)
    assert memory(tmp_path).take([note(5, 5), note(12, 12)], is_whole=True)


def test_a_fork_is_refused_and_the_known_checkpoint_kept(tmp_path: Path) -> None:
    memory(tmp_path).take([note(9)], is_whole=True)
    with pytest.raises(VerificationError, match="forked"):
        memory(tmp_path).take([note(9, 8), note(20)], is_whole=False)
    assert (tmp_path / "state" / "log.checkpoint").read_bytes() == note(9)


def test_two_faces_of_one_log_are_a_fork_at_first_sight(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="forked"):
        memory(tmp_path).take([note(9), note(9, 8)], is_whole=True)


def test_a_log_of_fewer_leaves_is_refused_once_all_of_it_was_read(tmp_path: Path) -> None:
    memory(tmp_path).take([note(9)], is_whole=True)
    assert not memory(tmp_path).take([note(8)], is_whole=False)
    for gone in ([note(8)], []):
        with pytest.raises(VerificationError, match="rolled back: 9 leaves were signed"):
            memory(tmp_path).take(gone, is_whole=True)


def test_what_the_log_did_not_sign_says_nothing(tmp_path: Path) -> None:
    memory(tmp_path).take([note(9)], is_whole=True)
    stranger = SigningKey.from_seed(b"x" * 32)
    others = [b"", b"junk", note(9, 8, stranger), note(99, 8, stranger), note(9)]
    assert memory(tmp_path).take(others, is_whole=True)
    with pytest.raises(VerificationError):
        LogMemory(tmp_path / "state" / "log.checkpoint", NoteKey(name=NAME, public_key=stranger.public_key))


def test_a_participant_remembers_what_it_has_seen(world: World, participant: Participant, tmp_path: Path) -> None:
    participant.check_log()  # nothing is signed yet
    origin = NoteKey.parse(world.federation.log_key).name
    world.put(world.topics.checkpoints, "", note(4, 4, LOG, origin))
    participant.check_log()
    world.put(world.topics.checkpoints, "", b"junk")
    world.put(world.topics.checkpoints, "", note(6, 6, LOG, origin))
    participant.check_log()
    (remembered,) = tmp_path.rglob("log.checkpoint")
    assert remembered.read_bytes() == note(6, 6, LOG, origin)
    os.utime(remembered, (4_000_000_000, 4_000_000_000))  # a clock that is wrong by far costs a reading of all
    participant.check_log()
    world.put(world.topics.checkpoints, "", note(6, 5, LOG, origin))
    with pytest.raises(VerificationError, match="forked"):
        participant.check_log()
