import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fluvial.wire.files import (
    check_regular,
    check_replaceable,
    create_private,
    read_bytes,
    read_text,
    replace_file,
    replacing,
    write_private,
)


def test_a_file_is_its_owners_alone_and_so_is_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "password"
    write_private(file, b"one")
    write_private(file, b"two")
    assert file.read_bytes() == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    write_private(tmp_path / "link", b"new")
    assert (tmp_path / "other").read_bytes() == b"mine"
    assert not (tmp_path / "link").is_symlink()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key.pem"
    write_private(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


WITHOUT_ROOM = (
    "import resource, sys; from pathlib import Path; from fluvial.wire.files import {0};"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); {0}(Path(sys.argv[1]), b'new')"
)


@pytest.mark.parametrize("write", ["replace_file", "write_private", "create_private"])
def test_where_nothing_can_be_written_everything_stays_as_it_was(tmp_path: Path, write: str) -> None:
    file = tmp_path / "result"
    before = [] if write == "create_private" else [file]
    for path in before:
        path.write_bytes(b"old")
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM.format(write), str(file)], capture_output=True, text=True, check=False
    )
    assert "File too large" in ended.stderr
    assert list(tmp_path.iterdir()) == before
    assert all(path.read_bytes() == b"old" for path in before)


def test_an_output_keeps_its_permissions_and_is_found_through_its_link(tmp_path: Path) -> None:
    file = tmp_path / "result"
    file.write_bytes(b"old")
    file.chmod(0o640)
    (tmp_path / "link").symlink_to(file)
    replace_file(tmp_path / "link", "é\n")
    assert file.read_bytes() == "é\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(pipe, b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("links", [True, False])
def test_a_private_file_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def unsupported(*_: object) -> None:
        raise PermissionError("no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", unsupported)
    file = tmp_path / "key"
    create_private(file, b"one")
    with pytest.raises(FileExistsError):
        create_private(file, b"two")
    assert file.read_bytes() == b"one"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "result"
    file.write_bytes(b"old")

    def fail_half_way() -> None:
        with replacing(file) as opened:
            opened.write(b"ne")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        replace_file(Path("/dev/full"), b"x")
    assert caught.value.filename == "/dev/full"


def test_a_failed_write_names_the_file_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "model"
    path.write_bytes(b"old")
    for write in (lambda: replace_file(path, b"new"), lambda: check_replaceable(path)):
        with pytest.raises(OSError, match="No space left") as caught:
            write()
        assert caught.value.filename == str(path)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    assert path.read_bytes() == b"old"


def test_what_can_be_replaced_is_left_alone_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "model"
    check_replaceable(path)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    check_replaceable(path)
    assert path.read_bytes() == b"old"
    with pytest.raises(IsADirectoryError):
        check_replaceable(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        check_replaceable(tmp_path / "absent" / "model")
    assert caught.value.filename == str(tmp_path / "absent" / "model")


def test_a_text_of_another_encoding_says_what_to_do(tmp_path: Path) -> None:
    """Windows PowerShell writes UTF-16 by `>`, editors begin with a mark."""
    path = tmp_path / "token"
    for content, words in (("key.abc".encode("utf-16"), "UTF-16"), ("données".encode("latin-1"), "its byte 5")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            read_text(path)
    path.write_bytes("données".encode("utf-8-sig"))
    assert read_text(path) == "données"


def test_a_name_that_was_left_empty_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for write in (write_private, create_private, replace_file):
        with pytest.raises(IsADirectoryError):
            write(Path(), b"content")
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_again_and_replaced_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for good in ("file", "link", "absent"):
        check_regular(tmp_path / good)
    for wrong, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (Path(os.devnull), "a device")):
        with pytest.raises(ValueError, match=f"is {kind}: name a file"):
            check_regular(wrong)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_without_end_is_not_read_to_its_end() -> None:
    for read in (read_text, read_bytes):
        with pytest.raises(ValueError, match="/dev/zero has more than"):
            read(Path("/dev/zero"))
