"""The process that builds a model's variants, seen from the operator: started, looked at, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.acceleration.workshop import Order, Product, read_product, write_order


class Worker:
    """One order being carried out. Its folder goes with it."""

    def __init__(
        self, order: Order, model: NDArray[np.float32], root: Path, reference: NDArray[np.float32] | None = None
    ) -> None:
        """root: the checkout, from which the process imports. reference: as `write_order` takes it."""
        self._folder = tempfile.TemporaryDirectory(prefix="fluvial-variants-", ignore_cleanup_errors=True)
        self._path = Path(self._folder.name)
        self._waiting = [variant.name for variant in order.variants]
        write_order(self._path, order, model, reference)
        paths = [str(root), *(path for path in sys.path if path.endswith("site-packages"))]
        with (self._path / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                [_interpreter(), "-W", "ignore", "-m", "models.acceleration.workshop", str(self._path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=root,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            )

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def finished(self) -> list[tuple[Product, bytes]]:
        """Products since the last call. Those that a process which ended did not make are failures."""
        over = self.is_over
        found = []
        for name in list(self._waiting):
            product = read_product(self._path, name)
            if product is None and over:
                product = Product(name=name, builders={}, failure=self._error()), b""
            if product is not None:
                self._waiting.remove(name)
                found.append(product)
        return found

    def close(self) -> None:
        """End the process and remove its folder."""
        if not self.is_over:
            self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _error(self) -> str:
        lines = (self._path / "errors").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        status = self._process.returncode
        return lines[-1][:300] if lines else f"the process that builds variants ended with status {status}"


def _interpreter() -> str:
    """Python's program: inside Flink's thread mode `sys.executable` may be Java."""
    executable = Path(sys.executable or "")
    if executable.name.startswith("python"):
        return str(executable)
    return str(Path(sys.prefix) / "bin" / "python3")
