"""What an audit keeps on disk: as dicts and sets would have it."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.auditor.shelf import Kept, Relation, Shelf, key
from fluvial.auditor.shelf_bytes import FileBytes, KeptBytes
from fluvial.transparency.tree import MerkleTree


def numbers(shelf: Shelf) -> Kept[str, int]:
    return Kept(shelf, key, int, lambda number: str(number % 100))


def test_the_first_value_of_a_key_stays_and_the_order_is_kept() -> None:
    kept = numbers(Shelf())
    assert [kept.put(str(number % 100), b"%d" % number) for number in (7, 3, 107, 5)] == [True, True, False, True]
    assert (list(kept), list(kept.each()), len(kept)) == (["7", "3", "5"], [7, 3, 5], 3)
    assert (kept["7"], kept.get("9"), "3" in kept, "9" in kept) == (7, None, True, False)


def test_more_than_is_fetched_at_once_is_told_in_order() -> None:
    kept: Kept[int, int] = Kept(Shelf(), key, int, lambda number: number)
    for number in range(2_500):
        kept.put(number, b"%d" % number)
    assert list(kept.each()) == list(range(2_500))


@given(st.lists(st.integers(0, 60), unique=True).map(sorted), st.integers(0, 60))
def test_of_values_in_order_those_from_one_on_are_found_without_the_others(numbers: list[int], first: int) -> None:
    kept: Kept[int, int] = Kept(Shelf(), key, lambda data: data[0], lambda number: number)
    for number in numbers:
        kept.put(number, bytes([number]))
    assert list(kept.each_from(bytes([first]))) == [number for number in numbers if number >= first]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b""]), st.sampled_from([b"", b"x", b"y"]))))
def test_a_relation_is_a_set_of_pairs(pairs: list[tuple[bytes, bytes]]) -> None:
    relation, expected = Relation(Shelf()), set[tuple[bytes, bytes]]()
    for name, value in pairs:
        assert relation.add(name, value) == ((name, value) not in expected)
        expected.add((name, value))
    assert len(relation) == len(expected)
    assert list(relation.each_key()) == sorted({name for name, _ in expected if name})
    for name in (b"a", b"b", b""):
        assert relation.count(name) == sum(each[0] == name for each in expected)
        assert relation.values(name) == sorted(value for one, value in expected if one == name)
        for value in (b"", b"x", b"y"):
            assert relation.has(name, value) == ((name, value) in expected)
            assert relation.has_other(name, value) == any(one == name and two != value for one, two in expected)


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_no_two_lists_of_parts_share_a_key(first: list[str], second: list[str]) -> None:
    assert (key(*first) == key(*second)) == (first == second)


def test_a_tree_in_a_file_is_the_tree_in_memory() -> None:
    in_file, in_memory = MerkleTree(FileBytes), MerkleTree()
    for number in range(9_000):
        for tree in (in_file, in_memory):
            tree.append(sha256(b"%d" % number).digest())
    for size in (1, 4_095, 4_096, 8_191, 9_000):
        assert in_file.root(size) == in_memory.root(size)
        assert in_file.inclusion_proof(size // 2, size) == in_memory.inclusion_proof(size // 2, size)


def test_a_tree_that_was_kept_goes_on_where_it_ended(tmp_path: Path) -> None:
    file, in_memory = tmp_path / "tree", MerkleTree()
    for first, end in ((0, 1), (1, 4_097), (4_097, 4_097), (4_097, 9_000)):
        shelf, levels, kept = Shelf(file), count(), list[KeptBytes]()

        def new_level(shelf: Shelf = shelf, levels: Iterator[int] = levels, kept: list[KeptBytes] = kept) -> KeptBytes:
            kept.append(KeptBytes(shelf, f"level_{next(levels)}"))
            return kept[-1]

        tree = MerkleTree(new_level)
        assert tree.size == first
        for number in range(first, end):
            for each in (tree, in_memory):
                each.append(sha256(b"%d" % number).digest())
        for size in {1, end // 2, end} - {0}:
            assert tree.root(size) == in_memory.root(size)
            assert tree.inclusion_proof(size // 2, size) == in_memory.inclusion_proof(size // 2, size)
        for level in kept:
            level.flush()
        shelf.mark()
        tree.append(bytes(32))
        for level in kept:
            level.flush()
        shelf.go_back_to_mark()
        shelf.commit()
        shelf.close()


def test_nobody_else_can_open_what_does_not_fit_in_memory(tmp_path: Path) -> None:
    """Neither file has a name once it is open. SQLite looks for its folder once a process, so this is another one."""
    script = """
import os
from fluvial.auditor import shelf, shelf_bytes
shelf.CACHE_BYTES = 1 << 16
relation, data = shelf.Relation(shelf.Shelf()), shelf_bytes.FileBytes()
for number in range(4_000):
    relation.add(b"%d" % number, bytes(100))
    data += bytes(100)
links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
print([os.readlink(link) for link in links if os.path.islink(link)])
"""
    environment = {**os.environ, "SQLITE_TMPDIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.count(str(tmp_path)) == told.stdout.count("(deleted)") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_told_as_such() -> None:
    shelf = Shelf()
    database, _ = shelf.table("k BLOB)")
    relation = Relation(shelf)
    database.execute("PRAGMA max_page_count = 8")
    with pytest.raises(OSError, match="full") as told:
        [relation.add(b"%d" % number, bytes(100)) for number in range(4_000)]
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, tempfile.gettempdir())


@pytest.mark.usefixtures("only_what_is_new_is_collected")
def test_any_thread_may_find_that_nobody_has_it_any_more() -> None:
    """Python's collector runs in the thread that happens to make an object."""
    left: list[object] = []

    def read() -> None:
        cycle: list[object] = [Shelf()]
        cycle.append(cycle)
        left.append(weakref.ref(cycle[0]))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    gc.collect()
    assert [reference() for reference in left] == [None]  # type: ignore[operator]
