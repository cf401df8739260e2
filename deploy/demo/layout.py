"""Where the files of a demonstration lie, below the directory that its processes share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below `directory`. federation.json appears last: it is the signal to start."""

    directory: Path

    @property
    def task_file(self) -> Path:
        return self.directory / "task.json"

    @property
    def members(self) -> Path:
        return self.directory / "members.json"

    @property
    def federation(self) -> Path:
        return self.directory / "federation.json"

    def credentials(self, name: str) -> Path:
        """What a member is given to connect with, where the stack asks who one is; with a federation.json."""
        return self.directory / "credentials" / name

    @property
    def baseline(self) -> Path:
        return self.directory / "central.json"

    @property
    def variants_page(self) -> Path:
        return self.directory / "variants.html"

    @property
    def outboxes(self) -> Path:
        return self.directory / "outboxes"

    def key(self, name: str) -> Path:
        return self.directory / "keys" / f"{name}.pem"

    def outbox(self, name: str) -> Path:
        return self.outboxes / f"{name}.sqlite"

    def reports(self, only: str | None) -> Path:
        """Of the process that plays `only`, or of the one that plays all others."""
        return self.directory / f"reports-{only or 'company'}.jsonl"

    def log(self, process: str) -> Path:
        """Output of a process."""
        return self.directory / f"{process}.log"
