"""Code of a job that is kept for those who import from it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.jobs.code import PACKAGES, forget_code, keep_code


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for package in PACKAGES:
        (tmp_path / "checkout" / package).mkdir(parents=True)
        (tmp_path / "checkout" / package / "__init__.py").touch()
    (tmp_path / "checkout" / "pipelines" / "first.py").write_text("def later(): import pipelines.second; return 1")
    (tmp_path / "checkout" / "pipelines" / "second.py").touch()
    return tmp_path / "checkout"


def test_a_process_imports_what_was_submitted_also_when_the_checkout_is_another(checkout: Path) -> None:
    code = keep_code(checkout, checkout.parent / "code")
    (checkout / "pipelines" / "first.py").write_text("raise ImportError('changed')")
    (checkout / "pipelines" / "second.py").unlink()
    path = os.pathsep.join([str(code.folder), str(checkout)])
    script = "from pipelines.first import later; print(later())"
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, cwd="/"
    )
    assert ended.stdout == "1\n", ended.stderr


def test_jobs_of_the_same_code_share_a_folder_and_other_code_has_another(checkout: Path) -> None:
    one, again = (keep_code(checkout, checkout.parent / "code") for _ in range(2))
    assert one == again
    (checkout / "pipelines" / "second.py").write_text("x = 1")
    other = keep_code(checkout, checkout.parent / "code")
    assert other.digest != one.digest
    assert sorted(folder.name for folder in (checkout.parent / "code").iterdir()) == sorted([one.digest, other.digest])
    assert (one.folder / "pipelines" / "second.py").read_text() == ""


def test_bytecode_is_copied_too_where_it_is_there(checkout: Path) -> None:
    cache = checkout / "pipelines" / "__pycache__"
    cache.mkdir()
    (cache / "first.cpython-311.pyc").touch()
    code = keep_code(checkout, checkout.parent / "code")
    assert (code.folder / "pipelines" / "__pycache__" / "first.cpython-311.pyc").exists()


def test_a_copy_that_no_job_names_is_removed_after_an_hour(checkout: Path, tmp_path: Path) -> None:
    jobs, copies = tmp_path / "jobs", tmp_path / "code"
    jobs.mkdir()
    named = keep_code(checkout, copies)
    (jobs / "audit.json").write_text(f'{{"code": "{named.digest}"}}')
    (checkout / "pipelines" / "second.py").write_text("x = 1")
    unnamed = keep_code(checkout, copies)
    (checkout / "pipelines" / "second.py").write_text("x = 2")
    fresh = keep_code(checkout, copies)
    for code in (named, unnamed):
        os.utime(code.folder, (time.time() - 7200,) * 2)
    forget_code(copies, jobs)
    assert {folder.name for folder in copies.iterdir()} == {named.digest, fresh.digest}


def test_a_copy_that_fails_leaves_nothing(checkout: Path) -> None:
    (checkout / "models" / "__init__.py").unlink()
    (checkout / "models").rmdir()
    with pytest.raises(FileNotFoundError):
        keep_code(checkout, checkout.parent / "code")
    assert list((checkout.parent / "code").iterdir()) == []
