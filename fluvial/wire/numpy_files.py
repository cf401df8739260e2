"""Files of numpy's (.npy, .npz) that a person hands over, or that were kept here and may be damaged since."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_DAMAGE = {None, errno.EINVAL}
"""numpy's and zipfile's own words, and what the system says to a place in the file that it cannot have."""


def read_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file, of plain elements. Raises as `read_arrays`."""
    found = _read(path)
    if not isinstance(found, np.ndarray):
        raise ValueError("it is a .npz file")
    return found


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by their names, of plain elements; those that are named, else all. Raises OSError where
    the file cannot be read, and ValueError that says what is wrong with what it holds, also for more than the memory
    has room for."""
    found = _read(path, names)
    if not isinstance(found, dict):
        raise ValueError("it is a .npy file")
    return found


def _read(path: Path, names: Sequence[str] = ()) -> NDArray[Any] | dict[str, NDArray[Any]]:
    with path.open("rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {name: loaded[name] for name in names or loaded.files}
        except ValueError:
            raise
        except OSError as error:
            if error.errno not in _OF_DAMAGE:
                raise
            raise ValueError(f"it is damaged ({error})") from error
        except KeyError as error:
            raise ValueError(f"an array is missing: {error}") from error
        except MemoryError as error:
            raise ValueError(f"it says that it holds more than the memory: {error}") from error
        except Exception as error:  # a dozen kinds, of numpy, zipfile, zlib and tokenize
            raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error
