"""Files of numpy's, and what is damaged of them."""

from __future__ import annotations

import errno
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluvial.wire.numpy_files import read_array, read_arrays


def a_table(path: Path) -> None:
    np.save(path, np.ones((5, 3), np.float32))


def some_arrays(path: Path) -> None:
    np.savez(path, inputs=np.ones((5, 3)), names=np.array(["ann", "bob"]))


def packed_arrays(path: Path) -> None:
    np.savez_compressed(path, inputs=np.arange(40), names=np.array(["ann", "bob"]))


@pytest.mark.parametrize(
    ("write", "name", "read"),
    [(a_table, "a.npy", read_array), (some_arrays, "a.npz", read_arrays), (packed_arrays, "a.npz", read_arrays)],
)
def test_whatever_became_of_a_file_it_is_read_or_said_to_be_wrong(
    tmp_path: Path, write: Callable[[Path], None], name: str, read: Callable[[Path], Any]
) -> None:
    path = tmp_path / name
    write(path)
    good, generator, refused = path.read_bytes(), random.Random(1), 0
    read(path)
    for number in range(150):
        content = bytearray(good)
        place = generator.randrange(len(content))
        if number % 3 == 0:
            del content[place:]
        elif number % 3 == 1:
            content[place] = generator.randrange(256)
        else:
            content[place : place + generator.randrange(9)] = generator.randbytes(generator.randrange(9))
        path.write_bytes(content)
        with warnings.catch_warnings(action="ignore"):
            try:
                read(path)
            except ValueError:
                refused += 1
    assert refused > 50


def test_one_kind_is_not_taken_for_the_other(tmp_path: Path) -> None:
    a_table(tmp_path / "a.npy")
    some_arrays(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="npy file"):
        read_arrays(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="npz file"):
        read_array(tmp_path / "b.npz")
    assert list(read_arrays(tmp_path / "b.npz", "names")) == ["names"]
    with pytest.raises(ValueError, match="missing"):
        read_arrays(tmp_path / "b.npz", "ages")
    with pytest.raises(FileNotFoundError):
        read_array(tmp_path / "absent.npy")
    np.save(tmp_path / "c.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        read_array(tmp_path / "c.npy")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ESPIPE])
def test_a_disk_that_fails_is_no_damage_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(file: object, allow_pickle: bool) -> None:
        raise OSError(number, "of the system")

    a_table(tmp_path / "a.npy")
    monkeypatch.setattr(np, "load", fails)
    with pytest.raises(OSError, match="of the system") as caught:
        read_array(tmp_path / "a.npy")
    assert caught.value.errno == number
