"""A virtual environment for each system, so that nobody's dependencies decide another's versions."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.peers.rounds import PeerFailed, Report

_INSTALL_SECONDS = 1200.0


class Environment:
    """The virtual environment in a folder, with exactly these requirements asked for."""

    def __init__(self, directory: Path, requirements: tuple[str, ...]) -> None:
        self._directory = directory.absolute()
        self._requirements = requirements
        self._installed = self._directory / "installed.txt"

    @property
    def python(self) -> Path:
        return self._directory / "bin" / "python"

    def command(self, name: str) -> str:
        """A program that a requirement installed."""
        return str(self._directory / "bin" / name)

    def variables(self, marker: str, **more: str) -> dict[str, str]:
        """Environment variables of its processes: its programs are found first, and nothing of ours leaks in."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = f"{self._directory / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", MARKER: marker, **more}

    def make(self, report: Report) -> None:
        """Creates it where it is missing or holds something else. Raises PeerFailed with the installer's last lines."""
        wanted = "\n".join(self._requirements)
        if self._installed.exists() and self._installed.read_text() == wanted:
            return
        report(f"installing {', '.join(self._requirements)} into {self._directory}")
        self._run([sys.executable, "-m", "venv", "--clear", str(self._directory)])
        self._run([str(self.python), "-m", "pip", "install", "--quiet", *self._requirements])
        self._installed.write_text(wanted)

    def _run(self, command: list[str]) -> None:
        with tempfile.TemporaryFile("w+") as output:
            try:
                status = subprocess.run(command, stdout=output, stderr=output, timeout=_INSTALL_SECONDS).returncode
            except subprocess.TimeoutExpired:
                raise PeerFailed(f"{' '.join(command)} took more than {_INSTALL_SECONDS:.0f} s") from None
            if status != 0:
                output.seek(0)
                raise PeerFailed(f"{' '.join(command)} failed:\n" + "".join(output.readlines()[-10:]))


MARKER = "FLUVIAL_BENCHMARK_PEER"
"""Environment variable by which the processes of a run are known, whoever started them."""
