import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fluvial.edge import outbox
from fluvial.edge.error_feedback import state_folder
from fluvial.edge.errors import OutboxUnavailable
from fluvial.edge.outbox import Outbox, OutboxEnvelope, Upload
from fluvial.kafka import Position
from tests.steps import lines_run

AT = Position(partition=1, offset=7, timestamp_ms=99)


def an_upload(round_number: int = 1, upload_id: str = "u1") -> Upload:
    return Upload(upload_id=upload_id, task="demo", round=round_number, base_digest=b"d" * 32, template=b"template")


def an_envelope(upload_id: str = "u1", attempt: int = 1) -> OutboxEnvelope:
    return OutboxEnvelope(
        update_id=f"{upload_id}.{attempt}",
        upload_id=upload_id,
        task="demo",
        round=1,
        attempt=attempt,
        value=b"signed",
        position=None,
    )


def chunks(*contents: bytes) -> list[tuple[bytes, bytes]]:
    return [(content, hashlib.sha256(content).digest()) for content in contents]


def test_everything_stored_is_there_after_reopening(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one", b"two"))
    outbox.acknowledge("u1", {1: AT})
    outbox.store_envelope(an_envelope())
    outbox.close()

    outbox = Outbox(tmp_path / "o", "alice")
    assert outbox.uploads() == [an_upload()]
    assert [(c.length, c.partition, c.offset) for c in outbox.chunks("u1")] == [(3, None, None), (3, 1, 7)]
    assert outbox.chunk_bytes("u1", 0) == b"one"
    assert outbox.envelopes() == [an_envelope()]
    outbox.close()


def test_sending_lets_go_of_the_bytes_and_keeps_the_positions(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one"))
    outbox.acknowledge("u1", {0: AT})
    outbox.store_envelope(an_envelope())
    outbox.mark_sent("u1.1", AT)
    with pytest.raises(KeyError):
        outbox.chunk_bytes("u1", 0)
    assert outbox.chunks("u1")[0].offset == 7
    found = outbox.envelope_of("demo", 1, 1)
    assert found is not None
    assert found.position == AT


def test_what_was_sent_for_other_rounds_costs_a_round_nothing(tmp_path: Path) -> None:
    """All envelopes of a task, up to a thousand, were read three times a round: 20 ms."""
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store_envelope(an_envelope())
    alone = lines_run(lambda: outbox.envelope_of("demo", 1, 1))
    for number in range(2, 300):
        outbox.store_envelope(replace(an_envelope(f"u{number}"), round=number))
    outbox.store_envelope(an_envelope("other", attempt=2))
    outbox.store_envelope(replace(an_envelope("elsewhere"), task="another"))
    assert [envelope.update_id for envelope in outbox.envelopes("demo", 1)] == ["u1.1", "other.2"]
    assert [envelope.update_id for envelope in outbox.envelopes("another")] == ["elsewhere.1"]
    assert len(outbox.envelopes()) == 301
    assert outbox.envelope_of("demo", 1, 1) == an_envelope()
    assert lines_run(lambda: outbox.envelope_of("demo", 1, 1)) <= 2 * alone


def test_a_second_upload_of_a_round_replaces_the_first(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one"))
    outbox.store(an_upload(upload_id="u2"), chunks(b"two", b"three"))
    assert [upload.upload_id for upload in outbox.uploads("demo")] == ["u2"]
    assert outbox.chunks("u1") == []


def test_discarding_forgets_the_unsent_and_remembers_where_the_sent_lies(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one"))
    outbox.store_envelope(an_envelope(attempt=1))
    outbox.mark_sent("u1.1", AT)
    outbox.store_envelope(an_envelope(attempt=2))
    outbox.discard("u1")
    assert outbox.uploads() == []
    (kept,) = outbox.envelopes()
    assert (kept.update_id, kept.value, kept.position) == ("u1.1", None, AT)


def test_a_failed_store_changes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one"))
    with pytest.raises(sqlite3.IntegrityError):
        outbox.store(an_upload(), [(b"two", None)])  # type: ignore[list-item]
    assert outbox.chunk_bytes("u1", 0) == b"one"


def test_it_belongs_to_one_participant(tmp_path: Path) -> None:
    Outbox(tmp_path / "o", "alice").close()
    with pytest.raises(OutboxUnavailable, match="alice"):
        Outbox(tmp_path / "o", "bob")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "o")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(OutboxUnavailable, match="format 99"):
        Outbox(tmp_path / "o", "alice")


def test_only_its_owner_may_read_its_files_while_they_are_in_use(tmp_path: Path) -> None:
    path = tmp_path / "new" / "o"
    outbox = Outbox(path, "alice")
    outbox.store(an_upload(), chunks(b"one"))
    files = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir() if file.is_file()}
    assert files == {"o": 0o600, "o-wal": 0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    outbox.close()


def test_files_that_a_former_release_left_readable_become_private(tmp_path: Path) -> None:
    Outbox(tmp_path / "o", "alice").close()
    (tmp_path / "o").chmod(0o644)
    Outbox(tmp_path / "o", "alice").close()
    assert (tmp_path / "o").stat().st_mode & 0o777 == 0o600


def damaged(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def torn(path: Path) -> None:
    Outbox(path, "alice").close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(Path.mkdir, "is a folder", id="folder"),
        pytest.param(damaged, "is damaged or is no outbox", id="no database"),
        pytest.param(torn, "is damaged", id="zeros inside"),
        pytest.param(lambda path: path.symlink_to(path), "cannot be opened: Too many levels", id="loop"),
    ],
)
def test_a_file_that_cannot_be_an_outbox_is_told_as_what_it_is(
    tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path / "o")
    with pytest.raises(OutboxUnavailable, match=told) as raised:
        Outbox(tmp_path / "o", "alice")
    assert "in use" not in str(raised.value)


def test_what_is_no_file_keeps_its_permissions(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "o", 0o644)
    (tmp_path / "o").chmod(0o644)
    with pytest.raises(OutboxUnavailable, match="is a pipe"):
        Outbox(tmp_path / "o", "alice")
    assert stat.S_IMODE((tmp_path / "o").stat().st_mode) == 0o644


def test_an_outbox_that_may_only_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "o").touch()
    connect = sqlite3.connect

    def read_only(path: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(OutboxUnavailable, match="read but not written"):
        Outbox(tmp_path / "o", "alice")


def test_a_full_disk_is_told_and_the_outbox_goes_on_when_there_is_room(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox._database.execute("PRAGMA max_page_count = 1")
    large = replace(an_upload(), template=bytes(1 << 20))
    with pytest.raises(OutboxUnavailable, match="no room"):
        outbox.store(large, ())
    outbox._database.execute("PRAGMA max_page_count = 100000")
    outbox.store(large, ())
    assert outbox.uploads() == [large]
    outbox.close()


def uploads_folder(tmp_path: Path) -> Path:
    return tmp_path / "o.uploads"


def test_bytes_lie_in_one_file_which_goes_when_they_are_delivered(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one", b"three"))
    (file,) = uploads_folder(tmp_path).iterdir()
    assert file.read_bytes() == b"onethree"
    assert file.stat().st_mode & 0o777 == 0o600
    assert outbox.chunk_bytes("u1", 1) == b"three"
    outbox.store(an_upload(upload_id="u2"), chunks(b"two"))
    assert [path.name for path in uploads_folder(tmp_path).iterdir()] == ["u2"]
    outbox.discard("u2")
    assert not list(uploads_folder(tmp_path).iterdir())


@pytest.mark.parametrize("damage", [b"one", b"onexxx", b""], ids=["short", "other bytes", "empty"])
def test_an_upload_that_a_power_failure_damaged_is_forgotten(tmp_path: Path, damage: bytes) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one", b"two"))
    outbox.acknowledge("u1", {0: AT})
    outbox.close()
    (uploads_folder(tmp_path) / "u1").write_bytes(damage)
    outbox = Outbox(tmp_path / "o", "alice")
    assert outbox.uploads() == []
    assert not list(uploads_folder(tmp_path).iterdir())


def test_damage_to_chunks_that_the_broker_has_does_not_matter(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one", b"two"))
    outbox.acknowledge("u1", {0: AT, 1: AT})
    outbox.close()
    (uploads_folder(tmp_path) / "u1").unlink()
    assert Outbox(tmp_path / "o", "alice").uploads() == [an_upload()]


def test_files_that_nothing_refers_to_are_removed(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), chunks(b"one"))
    outbox.acknowledge("u1", {0: AT})
    outbox.store_envelope(an_envelope())
    outbox.mark_sent("u1.1", AT)
    outbox.close()
    for left in ("u1", "u0"):
        (uploads_folder(tmp_path) / left).write_bytes(b"left by a crash")
    outbox = Outbox(tmp_path / "o", "alice")
    assert not list(uploads_folder(tmp_path).iterdir())
    assert outbox.uploads() == [an_upload()]


def test_the_folder_one_is_in_is_told_as_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert state_folder(Path()) == Path(".state")
    with pytest.raises(OutboxUnavailable, match="is a folder"):
        Outbox(Path(), "alice")


def test_who_opens_an_outbox_twice_in_a_process_hears_what_to_close(tmp_path: Path) -> None:
    """As a cell of a notebook does that is run again."""
    first = Outbox(tmp_path / "outbox", "alice")
    with pytest.raises(OutboxUnavailable, match="of this one that was not closed"):
        Outbox(tmp_path / "outbox", "alice")
    first.close()
    Outbox(tmp_path / "outbox", "alice").close()


def test_what_was_told_is_remembered_and_forgotten_after_thousands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_KEPT_TOLD", 3)
    with closing(Outbox(tmp_path / "outbox", "alice")) as first:
        for number in range(5):
            first.remember_told(str(number))
            first.remember_told(str(number))
    with closing(Outbox(tmp_path / "outbox", "alice")) as again:
        assert [again.was_told(str(number)) for number in range(6)] == [False, False, True, True, True, False]
