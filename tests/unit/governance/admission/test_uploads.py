"""Whose a chunk is."""

import pytest

from governance.admission.uploads import is_own_chunk
from tests.unit.governance.admission.builders import an_update

UPDATE = an_update(participant="bob", update_id="upload-7.2")


@pytest.mark.parametrize(
    ("key", "own"),
    [
        (b"bob", True),
        (b"alice", False),
        (b"upload-7", True),
        (b"upload-7.2", True),
        (b"upload-8", False),
        (b"upload", False),
        (b"", False),
        (b"\xff", False),
        (None, True),
    ],
)
def test_a_chunk_is_its_uploaders(key: bytes | None, own: bool) -> None:
    assert is_own_chunk(UPDATE, key, {"alice", "bob"}.__contains__) is own


def test_an_update_that_is_called_like_a_participant_does_not_own_its_chunks() -> None:
    for name in ("alice", "alice.1"):
        copier = an_update(participant="bob", update_id=name)
        assert not is_own_chunk(copier, b"alice", {"alice", "bob"}.__contains__)
