import subprocess
from pathlib import Path

from deploy.machine import compilers
from deploy.machine.processes import java


def test_java_takes_the_directives_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    options = compilers.first_but_for_digests(folder)
    assert not any(" " in option for option in options)
    done = subprocess.run([java(), *options, "-Xshare:auto", "-version"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 compiler directives added" in done.stdout


def test_who_aggregates_has_the_first_compiler_alone(tmp_path: Path) -> None:
    assert compilers.of_a_job(("validation", "aggregation", "audit"), tmp_path) == [compilers.FIRST]
    assert compilers.FIRST not in compilers.of_a_job(("audit",), tmp_path)
