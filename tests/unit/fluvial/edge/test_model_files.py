import gc
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from fluvial.edge import Participant
from fluvial.edge.model_files import VARIABLE, ModelFiles, default_model_files, own_copy
from fluvial.wire.layout import model_digest
from tests.unit.fluvial.edge.downloads import Downloads, a_model, references
from tests.unit.fluvial.edge.world import World
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(ModelFiles(tmp_path / "models", smallest_bytes=1))


def the_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "models").glob("*.model")
    return path


def test_a_model_is_downloaded_once_and_then_mapped(downloads: Downloads, tmp_path: Path) -> None:
    for _ in range(3):
        np.testing.assert_array_equal(downloads.get(a_model()), a_model())
    assert downloads.loads == 1
    assert not downloads.get(a_model()).flags.writeable
    assert the_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "models").stat().st_mode & 0o777 == 0o700


def test_own_copies_of_a_model_in_a_file_are_written_to_without_each_other(
    downloads: Downloads, tmp_path: Path
) -> None:
    downloads.get(a_model())
    kept = downloads.get(a_model())
    first, second = own_copy(kept), own_copy(kept)
    first += 1.0
    second[3] = -5.0
    np.testing.assert_array_equal(first, a_model(1.0))
    assert (second[3], second[4]) == (-5.0, 4.0)
    np.testing.assert_array_equal(kept, a_model())
    assert the_file(tmp_path).read_bytes() == a_model().tobytes()
    the_file(tmp_path).unlink()
    np.testing.assert_array_equal(own_copy(kept), a_model())


def num_open(path: Path) -> int:
    """How often this process has the file open."""
    return sum(os.path.realpath(each) == str(path) for each in Path("/proc/self/fd").glob("*"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs a system that tells which files are open")
def test_nothing_is_copied_of_a_model_in_a_file_and_it_is_closed_when_nobody_has_it(
    downloads: Downloads, tmp_path: Path
) -> None:
    downloads.get(a_model())
    kept = downloads.get(a_model())
    own = own_copy(kept)
    assert isinstance(own.base.obj, mmap.mmap)
    assert num_open(the_file(tmp_path).resolve()) > 0
    del kept, own
    gc.collect()
    assert num_open(the_file(tmp_path).resolve()) == 0


def test_an_own_copy_of_a_model_in_memory_or_of_a_part_is_one() -> None:
    whole = a_model()
    for kept in (whole, whole[10:20]):
        own = own_copy(kept)
        own += 1.0
        np.testing.assert_array_equal(own, kept + 1.0)


def test_who_downloads_a_model_maps_it_as_the_others_do(downloads: Downloads) -> None:
    assert isinstance(downloads.get(a_model()).base.obj, mmap.mmap)


@pytest.mark.parametrize("damage", [b"", b"short", a_model(1).tobytes()], ids=["empty", "short", "other"])
def test_a_damaged_file_is_downloaded_again(downloads: Downloads, tmp_path: Path, damage: bytes) -> None:
    downloads.get(a_model())
    the_file(tmp_path).write_bytes(damage)
    np.testing.assert_array_equal(downloads.get(a_model()), a_model())
    assert downloads.loads == 2
    assert the_file(tmp_path).read_bytes() == a_model().tobytes()


def test_the_last_used_stay_within_the_budget(tmp_path: Path) -> None:
    downloads = Downloads(ModelFiles(tmp_path / "models", budget_bytes=800, smallest_bytes=1))
    for age, value in ((300, 1), (200, 2)):
        downloads.get(a_model(value))
        path = max((tmp_path / "models").glob("*.model"), key=lambda file: file.stat().st_mtime)
        os.utime(path, (1e9 - age, 1e9 - age))
    (tmp_path / "models" / "crashed.part").write_bytes(bytes(500))
    os.utime(tmp_path / "models" / "crashed.part", (1e8, 1e8))
    downloads.get(a_model(1))  # used again, so the other is the oldest
    downloads.get(a_model(3))
    assert downloads.loads == 3
    downloads.get(a_model(1))
    assert downloads.loads == 3
    downloads.get(a_model(2))
    assert downloads.loads == 4
    assert not (tmp_path / "models" / "crashed.part").exists()


def test_a_removed_file_does_not_disturb_who_has_mapped_it(downloads: Downloads, tmp_path: Path) -> None:
    downloads.get(a_model())
    mapped = downloads.get(a_model())
    the_file(tmp_path).unlink()
    np.testing.assert_array_equal(mapped, a_model())


def test_a_small_model_is_not_worth_a_file(tmp_path: Path) -> None:
    downloads = Downloads(ModelFiles(tmp_path / "models"))
    downloads.get(a_model())
    assert not (tmp_path / "models").exists()


def test_without_a_usable_folder_it_downloads(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    downloads = Downloads(ModelFiles(tmp_path / "file" / "models", smallest_bytes=1))
    for _ in range(2):
        np.testing.assert_array_equal(downloads.get(a_model()), a_model())
    assert downloads.loads == 2


def test_a_failed_download_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    files, chunks = ModelFiles(tmp_path / "models", smallest_bytes=1), references(a_model())
    digest = model_digest(chunk.sha256 for chunk in chunks)

    def fail() -> np.ndarray:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        files.get(digest, chunks, fail)
    np.testing.assert_array_equal(files.get(digest, chunks, a_model), a_model())


def test_the_environment_chooses_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for off in ("off", ""):
        monkeypatch.setenv(VARIABLE, off)
        assert default_model_files() is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "here"))
    downloads = Downloads(default_model_files() or pytest.fail("no files"))
    downloads.files._smallest_bytes = 1
    downloads.get(a_model())
    assert list((tmp_path / "here").glob("*.model"))
    monkeypatch.delenv(VARIABLE)
    assert default_model_files() is not None


def test_the_folder_may_be_named_from_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/models")
    downloads = Downloads(default_model_files() or pytest.fail("no files"))
    downloads.files._smallest_bytes = 1
    downloads.get(a_model())
    assert the_file(tmp_path).exists()


def test_a_second_participant_takes_the_first_ones_download(
    world: World, transport: MemoryTransport, key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fluvial.edge import participant as module
    from fluvial.edge.models import ModelCache

    files, models = ModelFiles(tmp_path / "models", smallest_bytes=1), []
    round_ = world.open_round()
    for name in ("alice", "bob"):
        monkeypatch.setattr(module, "SHARED_CACHE", ModelCache())  # as if it were another process
        with Participant(
            world.federation, name, key, tmp_path / f"{name}.sqlite", transport, model_files=files
        ) as participant:
            models.append(participant.base_model(round_))
    np.testing.assert_array_equal(*models)
    assert transport.fetched[world.topics.model_blobs] == len(round_.base_chunks)


@pytest.mark.skipif(os.name != "posix", reason="rights of files")
def test_a_folder_in_which_others_may_write_is_not_used(downloads: Downloads, tmp_path: Path) -> None:
    """What was checked there could be another model a moment later."""
    downloads.get(a_model())
    (tmp_path / "models").chmod(0o770)
    for _ in range(2):
        np.testing.assert_array_equal(downloads.get(a_model()), a_model())
    assert downloads.loads == 3


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_that_another_left_are_not_followed(downloads: Downloads, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder = tmp_path / "models"
    folder.mkdir(mode=0o700)
    digest = model_digest(chunk.sha256 for chunk in references(a_model()))
    for name in (f"{digest.hex()}.part", *(f"lock-{number}" for number in range(64))):
        (folder / name).symlink_to(victim)
    np.testing.assert_array_equal(downloads.get(a_model()), a_model())
    assert victim.read_bytes() == b"precious"
