"""Where the broker listens: at the ports of its first start, for those who have a copy of federation.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.broker import process
from deploy.broker.configuration import Ports
from deploy.broker.process import Broker


@pytest.fixture(autouse=True)
def _nobody_else_takes_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "is_free", lambda port: True)


def ports_of(folder: Path) -> Ports:
    return Broker(folder)._remembered_ports()


def test_the_ports_of_the_first_start_stay(tmp_path: Path) -> None:
    assert ports_of(tmp_path) == ports_of(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "junk", "{}", "null", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", '["a"]', "[-1]", "[70000]"]
)
def test_where_they_are_damaged_others_are_drawn(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)
    found = ports_of(tmp_path)
    assert all(1024 <= port < 1 << 16 for port in found)
    assert ports_of(tmp_path) == found
