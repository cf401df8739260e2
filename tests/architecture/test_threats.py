"""The table of threats cites code and tests that exist; and what it says of unpickling is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threats.md").read_text()
CITED = sorted(set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)(?:::(test_\w+))?`", PAGE)))
PICKLES = ("pickle", "dill", "cloudpickle", "shelve", "marshal")
UNPICKLES = re.compile("|".join((*PICKLES, r"\bload\b")))
"""Where none of these words is, nothing need be parsed."""
OWN_BYTES = ("pipelines/",)
"""Flink's state is pickled by Flink, and read by nobody else."""


@pytest.mark.parametrize(("file", "test"), CITED)
def test_what_the_table_cites_exists(file: str, test: str) -> None:
    path = next((path for path in (ROOT / file, ROOT / "tests" / file) if path.exists()), None)
    assert path is not None, f"there is no {file}"
    assert not test or re.search(rf"^def {test}\(", path.read_text(), re.M), f"{file} has no {test}"


def test_every_row_is_there() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([TPN]) \|", PAGE, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 43))
    found = re.findall(r"^\| (V\d+) \| [^|]+ \| ([TPN]) \| ([^|]+) \|", PAGE, re.M)
    assert [name for name, *_ in found] == [f"V{number}" for number in range(1, 33) if number != 23]


def test_every_row_that_is_handled_names_code_and_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| [TP] \| ([^|]+) \| ([^|]+) \|", PAGE, re.M)
    assert [number for number, answer, _ in rows if not re.search(r"`[\w/]+\.py`", answer)] == []
    assert [number for number, _, test in rows if "/test_" not in test and "laws/" not in test] == []
    attacks = re.findall(r"^\| (V\d+) \| [^|]+ \| [TP] \| ([^|]+) \|", PAGE, re.M)
    assert [name for name, test in attacks if "::test_" not in test] == []


def test_nothing_foreign_is_unpickled() -> None:
    """No pickle, and no numpy file with objects, outside Flink's own state."""
    for path in sorted(ROOT.glob("[fmgdp]*/**/*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(OWN_BYTES) or "/node_modules/" in name:
            continue
        source = path.read_text()
        if not UNPICKLES.search(source):
            continue
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not set(PICKLES) & set(names), name
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            caller = ast.unparse(node.func)
            if caller == "np.load":
                assert any(each.arg == "allow_pickle" and not ast.literal_eval(each.value) for each in node.keywords), (
                    name
                )
            if caller == "torch.load":
                raise AssertionError(f"{name} loads a file of torch")
