"""What a device gets: the built wheel, with the distributions that it requires and nothing else.

The environment is made without a network: of the distributions installed here, those that the wheel's metadata
requires, transitively and without extras, are linked into an empty folder, which is then all that the interpreter sees.
"""

import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parents[2]
HEAVY = {"apache-flink", "torch", "confluent-kafka", "pandas", "scipy", "safetensors"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def required(wheel: Path) -> set[str]:
    """Names of the distributions that the wheel brings with it."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        open_requirements = message_from_bytes(archive.read(metadata)).get_all("Requires-Dist") or []
    found: dict[str, set[str]] = {}
    pending = [(Requirement(text), frozenset[str]()) for text in open_requirements]
    while pending:
        requirement, extras = pending.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        wanted = requirement.extras | {""}
        if name in found and wanted <= found[name]:
            continue
        found[name] = found.get(name, set()) | wanted
        pending += [(Requirement(text), frozenset(wanted)) for text in distribution(name).requires or []]
    return set(found)


@pytest.fixture(scope="module")
def environment(wheel: Path, required: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("environment")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    for name in required:
        installed = distribution(name)
        for entry in {path.parts[0] for path in installed.files or [] if path.parts[0] not in ("..", "__pycache__")}:
            target = Path(str(installed.locate_file(entry)))
            if not (directory / entry).exists():
                (directory / entry).symlink_to(target)
    return directory


def run_in(environment: Path, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(environment)!r}); {program}"]
    return subprocess.run(command, capture_output=True, text=True, cwd=environment, timeout=120)


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"fluvial"}


def test_the_wheel_brings_neither_engine_nor_torch(required: set[str]) -> None:
    assert {"numpy", "fastavro", "kafka-python", "crc32c", "cryptography"} <= required
    assert not required & HEAVY


def test_the_edge_works_with_the_wheel_alone(environment: Path) -> None:
    modules = "fluvial.edge, fluvial.kafka.kafka_python.backend, fluvial.auditor.verify"
    program = f"import {modules}; print(fluvial.edge.__file__)"
    result = run_in(environment, program)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(environment))


@pytest.mark.parametrize(
    "arguments",
    [(), ("enrol",), ("participate",), ("rounds", "watch"), ("model", "list"), ("model", "get"), ("audit", "verify")],
)
def test_every_verb_of_the_client_explains_itself_there(environment: Path, arguments: tuple[str, ...]) -> None:
    program = f"sys.argv = ['fluvial', *{arguments!r}, '--help']; from fluvial.cli.main import run; run()"
    result = run_in(environment, program)
    assert result.returncode == 0, result.stderr
    assert "Usage: fluvial" in result.stdout


def test_what_tasks_without_a_package_name_is_in_the_wheel(environment: Path) -> None:
    """As `fluvial participate heart` does, up to the import of torch."""
    data = CHECKOUT / "deploy" / "tasks" / "heart" / "participants.safetensors"
    program = (
        "from fluvial.edge.training import architectures, data_files;"
        f"mine = data_files.load_participant({str(data)!r}, 0);"
        "parameters = {'inputs': mine.inputs.shape[1], 'classes': 2};"
        "print(len(mine), architectures.initial_state('logistic_regression', parameters, 0).size)"
    )
    result = run_in(environment, program)
    assert result.returncode == 0, result.stderr
    num_examples, size = map(int, result.stdout.split())
    assert num_examples > 10
    assert size > 10


def test_a_trainer_that_is_not_there_is_named(environment: Path) -> None:
    program = "from fluvial.edge.trainer import load_trainer; load_trainer('ours:trainer')"
    assert "there is no module ours for the trainer ours:trainer" in run_in(environment, program).stderr
