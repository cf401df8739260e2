"""`withdraw` and `rotate-key`: what becomes of files, also when the command was cut short."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import typer

from fluvial.cli import enrolled
from fluvial.identity.keys import SigningKey


class Own:
    """Stands in for the participant. fails: how the federation does not answer."""

    fails: Exception | None = None
    rotated: ClassVar[list[bytes]] = []

    def __init__(self, federation: Any, name: str, key: SigningKey, outbox: Path) -> None:
        self.key = key

    def __enter__(self) -> Own:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def rotate_key(self, new_key: SigningKey, timeout: float) -> Any:
        if self.fails:
            raise self.fails
        self.rotated.append(new_key.public_key)
        return SimpleNamespace(public_key=new_key.public_key)


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(enrolled, "Participant", Own)
    monkeypatch.setattr(enrolled, "load_federation", lambda path: None)
    monkeypatch.setattr(Own, "fails", None)
    monkeypatch.setattr(Own, "rotated", [])
    path = tmp_path / "anna.pem"
    SigningKey.generate().save(path)
    return path


def test_the_new_key_takes_the_place_of_the_former_which_stays_beside_it(key_file: Path) -> None:
    before = SigningKey.load(key_file).public_key
    enrolled.rotate_key("anna", key_file, key_file)
    assert SigningKey.load(key_file).public_key == Own.rotated[0] != before
    assert SigningKey.load(key_file.with_name("anna.pem.former")).public_key == before
    assert not key_file.with_name("anna.pem.next").exists()


def test_where_nobody_answers_the_present_key_stays_and_the_same_new_one_is_tried_again(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = SigningKey.load(key_file).public_key
    monkeypatch.setattr(Own, "fails", KeyboardInterrupt())
    with pytest.raises(typer.Exit):
        enrolled.rotate_key("anna", key_file, key_file)
    assert SigningKey.load(key_file).public_key == before
    drawn = SigningKey.load(key_file.with_name("anna.pem.next")).public_key
    monkeypatch.setattr(Own, "fails", None)
    enrolled.rotate_key("anna", key_file, key_file)
    assert Own.rotated == [drawn]
