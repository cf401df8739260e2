"""Arrays that a participant remembers between rounds, one file a task, beside the outbox: replaced as a whole or not
at all."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.wire.files import make_private_folder, replacing
from fluvial.wire.numpy_files import read_arrays


def save_arrays(path: Path, **arrays: Any) -> None:
    """Replace the file; a crash leaves the one before or this. Raises OSError."""
    make_private_folder(path.parent)
    with replacing(path, private=True) as file:
        np.savez(file, **arrays)


def load_arrays(path: Path, *names: str) -> tuple[NDArray[Any], ...] | None:
    """The arrays of these names; None where there is no file. Raises OSError, and ValueError for a file that does not
    hold them."""
    if not path.exists():
        return None
    try:
        return tuple(read_arrays(path, *names).values())
    except ValueError as error:
        raise ValueError(f"{path} does not hold what is kept there: {error}") from error
