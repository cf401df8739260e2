"""Checkpoints that are no longer whole when they are needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def damaging(checkpoints: Path) -> Iterator[None]:
    """Cuts every file of each checkpoint in half as soon as it is complete. A job that is to meet that waits for some
    seconds before it starts again."""
    over = threading.Event()
    done: set[Path] = set()

    def damage() -> None:
        while not over.wait(0.005):
            for metadata in set(checkpoints.glob("*/chk-*/_metadata")) - done:
                done.add(metadata)
                with suppress(FileNotFoundError):  # the job deletes its old ones
                    for file in metadata.parent.iterdir():
                        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    thread = threading.Thread(target=damage, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert done, "no checkpoint was completed"
