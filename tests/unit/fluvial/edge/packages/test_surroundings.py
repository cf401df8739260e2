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

import numpy as np
import pytest

from fluvial.edge.packages.surroundings import drawing_apart, process_kept
from fluvial.encoding import encoder
from fluvial.wire.records import TensorLayout


@pytest.fixture(autouse=True)
def put_back_if_the_test_fails() -> Iterator[None]:
    folder, handler = Path.cwd(), signal.getsignal(signal.SIGTERM)
    with np.errstate(), warnings.catch_warnings():
        yield
    os.chdir(folder)
    gc.enable()
    signal.signal(signal.SIGTERM, handler)


def careless(folder: Path) -> None:
    """As a script does that is nobody else's guest."""
    os.chdir(folder)
    gc.disable()
    np.seterr(all="raise")
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyError


def test_the_process_is_as_it_was_however_the_code_ends(tmp_path: Path) -> None:
    warnings.simplefilter("default")
    folder, handler, numpy = Path.cwd(), signal.getsignal(signal.SIGTERM), np.geterr()
    with suppress(KeyError), process_kept():
        careless(tmp_path)
    assert Path.cwd() == folder
    assert gc.isenabled()
    assert np.geterr() == numpy
    assert signal.getsignal(signal.SIGTERM) is handler
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
        gone.rmdir()
        os.chdir(tmp_path)
    with process_kept():
        pass


def test_filters_that_a_library_adds_when_it_is_imported_stay() -> None:
    with process_kept():
        warnings.filterwarnings("ignore", message="of a library")
    warnings.warn("of a library", stacklevel=1)


def test_in_another_thread_signals_are_left_alone(tmp_path: Path) -> None:
    handler, before = signal.getsignal(signal.SIGTERM), threading.Event()
    changed, failures = threading.Event(), []

    def work() -> None:
        try:
            with process_kept():
                before.set()
                changed.wait(10)
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    before.wait(10)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    changed.set()
    thread.join()
    assert not failures
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, handler)


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
