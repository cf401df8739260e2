"""What a verb says of itself, without being imported."""

from pathlib import Path

import pytest

from fluvial.cli.declared import Declared
from fluvial.cli.words import Words, words_of


def test_a_docstring_is_read_from_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words_of_one.py").write_text('raise RuntimeError\ndef say() -> None:\n    """Say it."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert words_of(Declared("say", "words_of_one:say")) == Words("Say it.", is_group=False)


@pytest.mark.parametrize("broken", ["raise RuntimeError('of the package')", "1 / 0", "def", "import absent_module"])
def test_a_package_that_cannot_be_imported_is_left_to_who_mounts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    (folder := tmp_path / "words_of_broken").mkdir()
    (folder / "__init__.py").write_text(broken)
    (folder / "verbs.py").write_text("def say() -> None: ...")
    monkeypatch.syspath_prepend(tmp_path)
    assert words_of(Declared("say", "words_of_broken.verbs:say")) is None
