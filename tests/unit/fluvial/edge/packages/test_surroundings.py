"""What code of a package or of a user leaves as it was in the process, without torch."""

import gc
import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from fluvial.edge.packages.surroundings import Shared, drawing_apart, process_kept, put_back
from fluvial.encoding import encoder
from fluvial.wire.records import TensorLayout

SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def put_back_if_the_test_fails() -> Iterator[None]:
    folder, handlers = Path.cwd(), list(map(signal.getsignal, SIGNALS))
    with np.errstate(), warnings.catch_warnings():
        yield
    os.chdir(folder)
    gc.enable()
    for number, handler in zip(SIGNALS, handlers, strict=True):
        signal.signal(number, handler)


def careless(folder: Path) -> None:
    """As a script does that is nobody else's guest."""
    os.chdir(folder)
    gc.disable()
    np.seterr(all="raise")
    warnings.simplefilter("error")
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyError


def test_the_process_is_as_it_was_however_the_code_ends(tmp_path: Path) -> None:
    warnings.simplefilter("default")
    folder, handlers, numpy = Path.cwd(), list(map(signal.getsignal, SIGNALS)), np.geterr()
    with suppress(KeyError), process_kept():
        careless(tmp_path)
    assert Path.cwd() == folder
    assert gc.isenabled()
    assert np.geterr() == numpy
    assert list(map(signal.getsignal, SIGNALS)) == handlers
    with pytest.warns(UserWarning, match="only said"):
        warnings.warn("only said", stacklevel=1)


def test_an_update_of_small_numbers_is_encoded_where_training_had_numpy_raise(tmp_path: Path) -> None:
    delta = np.array([60_000, 1e-44, 0], np.float32)
    with suppress(KeyError), process_kept():
        careless(tmp_path)
    for name in ("int8", "int4"):
        assert encoder(name).encode(delta, (TensorLayout(name="w", shape=(3,), dtype="float32"),), 2).chunks


def test_a_folder_that_is_gone_is_nobodys_failure(tmp_path: Path) -> None:
    (gone := tmp_path / "gone").mkdir()
    os.chdir(gone)
    with process_kept():
        os.chdir(tmp_path)
        gone.rmdir()
    assert Path.cwd() == tmp_path
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    with process_kept():
        gc.disable()
        os.chdir(tmp_path)
    assert gc.isenabled()
    assert Path.cwd() == tmp_path


def test_filters_that_a_library_adds_when_it_is_imported_stay() -> None:
    with process_kept():
        warnings.filterwarnings("ignore", message="of a library")
    warnings.warn("of a library", stacklevel=1)


def test_in_another_thread_signals_are_left_alone(tmp_path: Path) -> None:
    handler, before = signal.getsignal(signal.SIGTERM), threading.Event()
    changed = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            with process_kept():
                before.set()
                assert changed.wait(10)
        except (ValueError, AssertionError) as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert before.wait(10)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    changed.set()
    thread.join()
    assert not failures
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, handler)


class Value:
    """A setting that says what becomes of it."""

    def __init__(self, value: int = 0, *, reads: bool = True, writes: bool = True) -> None:
        self.value, self.reads, self.writes = value, reads, writes

    def now(self) -> int:
        if not self.reads:
            raise RuntimeError("cannot be read")
        return self.value

    def put(self, value: int) -> None:
        if not self.writes:
            raise RuntimeError("cannot be put back")
        self.value = value


def test_each_setting_is_put_back_whatever_becomes_of_the_others() -> None:
    unread, unwritten, no_longer_read, last = Value(reads=False), Value(writes=False), Value(), Value()
    every = [unread, unwritten, no_longer_read, last]

    def set_all() -> NoReturn:
        for each in every:
            each.value = 1
        no_longer_read.reads = False
        raise KeyError

    settings = [(each.now, each.put) for each in every]
    for kept in (lambda: put_back(settings), Shared(settings).put_back):
        for each in every:
            each.value = 0
        no_longer_read.reads = True
        with pytest.raises(KeyError), kept():
            set_all()
        assert [each.value for each in every] == [1, 1, 0, 0]
        unwritten.value, no_longer_read.reads = 0, True
        with pytest.raises(RuntimeError, match="cannot be put back"), kept(), suppress(KeyError):
            set_all()
        assert (no_longer_read.value, last.value) == (0, 0)


def test_the_last_of_several_threads_puts_back_what_the_first_found() -> None:
    setting, came, may_leave = Value(), threading.Event(), threading.Event()
    shared = Shared([(setting.now, setting.put)])

    def work() -> None:
        with shared.put_back():
            came.set()
            may_leave.wait(10)

    thread = threading.Thread(target=work)
    with shared.put_back():
        setting.value = 1
        thread.start()
        assert came.wait(10)
        with shared.put_back():
            setting.value = 2
        assert setting.value == 2
    assert setting.value == 2
    may_leave.set()
    thread.join()
    assert setting.value == 0


def test_a_thread_that_is_alone_puts_back_each_of_its_entries() -> None:
    setting = Value()
    shared = Shared([(setting.now, setting.put)])
    with shared.put_back():
        setting.value = 1
        with shared.put_back():
            setting.value = 2
        assert setting.value == 1
    assert setting.value == 0


def test_what_is_drawn_follows_from_the_seed_and_the_generators_are_put_back() -> None:
    def drawn() -> list[float]:
        return [random.random(), float(np.random.rand())]

    with drawing_apart(1):
        with drawing_apart(2):
            first = drawn()
        after = drawn()
    with drawing_apart(1):
        assert drawn() == after
    with drawing_apart(2):
        assert drawn() == first != after
