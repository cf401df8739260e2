"""The commands of the documentation that need something before them: keys, tokens, data, a certificate. Every line of
the pages' blocks `bash` is run here as it stands, or named below with what runs it.

(The blocks `bash run` need nothing; `test_quickstart.py` runs them.)
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from fluvial.edge.training.data_files import load_participant
from tests.unit.docs.blocks import CHECKOUT, PAGES, blocks
from tests.unit.docs.churn import NUM_BRANCHES, write_churn

pytestmark = [pytest.mark.system, pytest.mark.soak, pytest.mark.timeout(600)]

RUN_ELSEWHERE = {
    "pip install fluvial": "tests/integration/test_wheel.py",
    "fluvial init": "tests/integration/docs/test_bring_your_model.py",
    "fluvial simulate": "tests/integration/docs/test_bring_your_model.py",
    "fluvial model push": "tests/extras/test_mlflow.py",
    "fluvial release promote": "tests/unit/deploy/commands/test_release.py",
    "fluvial release hold": "tests/unit/deploy/commands/test_release.py",
    "fluvial release rollback": "tests/unit/deploy/commands/test_release.py",
    "fluvial topics advance": "tests/engine/test_advance.py",
    "python -m deploy.tasks": "tests/unit/deploy/tasks/test_live.py",
}
"""Beginnings of lines, and where they are run."""

FOUR_STAGES = "fluvial submit validation aggregation evaluation audit"

_SECONDS = 120.0


class Reader:
    """Somebody who types lines of the pages in a folder, and notes which."""

    typed: set[str] = set()  # noqa: RUF012 -- of all readers together

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "160",
        }
        self.children: list[subprocess.Popen[str]] = []
        for name in ("deploy", "models"):
            (folder / name).symlink_to(CHECKOUT / name)

    def line(self, beginning: str) -> str:
        """The shortest line of the pages that begins so, without its comment."""
        found = min((line for line in every_line() if line.startswith(beginning)), key=len)
        self.typed.add(found)
        return found

    def run(self, command: str, *, fails: bool = False) -> str:
        """What it printed, of both streams. fails: it is meant to."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        printed = f"{done.stdout}\n{done.stderr}"
        assert (done.returncode != 0) == fails, f"{command}: {done.returncode}\n{printed[-4000:]}"
        return done.stdout if not fails else printed

    def begin(self, command: str) -> subprocess.Popen[str]:
        with (self.folder / f"output-{len(self.children)}").open("w") as output:
            child = subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=self.environment, stdout=output, stderr=output, text=True
            )
        self.children.append(child)
        return child

    def wait_for(self, child: subprocess.Popen[str], status: int = 0) -> None:
        output = self.folder / f"output-{self.children.index(child)}"
        assert child.wait(_SECONDS) == status, output.read_text()[-4000:]

    def token(self, name: str) -> str:
        return self.run(f"fluvial task token {name}").strip()

    def close(self) -> None:
        for child in self.children:
            with suppress(ProcessLookupError):
                child.kill()
            child.wait()
        subprocess.run(["fluvial", "down"], cwd=self.folder, env=self.environment, capture_output=True, timeout=60)


def every_line() -> list[str]:
    """Commands of all blocks `bash`, without comments."""
    text = [line for page in PAGES for block in blocks(page, "bash") for line in block.splitlines()]
    return [command for line in text if (command := shlex.join(shlex.split(line, comments=True)))]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    somebody = Reader(tmp_path)
    try:
        yield somebody
    finally:
        somebody.close()


def test_stages_are_submitted(reader: Reader) -> None:
    reader.run("fluvial up")
    local = reader.begin(reader.line("fluvial submit audit --target local"))
    deadline = time.monotonic() + _SECONDS
    while not any("audit" in holder["stages"] for holder in json.loads(reader.run("fluvial status --json"))["holders"]):
        assert local.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.5)
    local.send_signal(signal.SIGINT)
    reader.wait_for(local)
    reader.run(reader.line("fluvial submit validation --parallelism 2"))
    four = reader.line(FOUR_STAGES)
    assert "gate" in reader.run(four, fails=True), "validation is held"
    reader.run(f"{four} --take-over")


def test_a_package_is_brought_and_its_model_taken_away(reader: Reader) -> None:
    write_churn(reader.folder)
    reader.run("fluvial up")
    reader.run(reader.line(f"{FOUR_STAGES} --package churn"))
    reader.run(reader.line("fluvial task create churn"))
    for branch in range(NUM_BRANCHES):
        reader.run(f"FLUVIAL_TOKEN={reader.token(f'branch-{branch}')} fluvial enrol --name branch-{branch}")
    takes_part = reader.line("fluvial participate churn")
    branches = [
        reader.begin(takes_part.replace("branch-0", f"branch-{branch}").replace("--index 0", f"--index {branch}"))
        for branch in range(NUM_BRANCHES)
    ]
    for branch in branches:
        reader.wait_for(branch)
    for form in ("", " --format onnx", " --format torch"):
        reader.run(reader.line(f"fluvial model get churn{form}"))


def test_a_task_is_mended_with_the_word_of_two_operators(reader: Reader) -> None:
    """And a clinic that takes part from another place meanwhile leaves by itself when the task is removed."""
    text = (CHECKOUT / "deploy/tasks/heart/task.yaml").read_text()
    reader.run("fluvial up")
    reader.run(f"{FOUR_STAGES}")
    keys = {
        "anna": reader.run(reader.line("fluvial key new anna.pem")).strip(),
        "ben": reader.run("fluvial key new ben.pem").strip(),
    }
    text += f"approval: {{operators: 2, operator_keys: {json.dumps(keys)}}}\n"
    (reader.folder / "heart.yaml").write_text(text)
    reader.run("fluvial task create heart.yaml")
    reader.run("cp .fluvial/federation.json federation.json")
    (reader.folder / "token").write_text(reader.token("clinic-7"))
    own = load_participant(CHECKOUT / "deploy/tasks/heart/participants.safetensors", 0)
    save_file({"inputs": own.inputs, "targets": own.targets}, reader.folder / "mine.safetensors")
    reader.run(f"{reader.line('fluvial enrol --name clinic-7')} --yes")
    clinic = reader.begin(reader.line("fluvial participate heart --name clinic-7"))

    (reader.folder / "heart.yaml").write_text(text.replace("quorum: 3", "quorum: 2"))
    update = reader.line("fluvial task update heart.yaml --propose")
    assert "quorum" in reader.run("fluvial task update heart.yaml", fails=True), "it is weaker"
    reader.run(update)
    approve = reader.line("fluvial task approve")
    reader.run(f"{approve} --yes")
    assert "there are 1" in reader.run(reader.line("fluvial task register"), fails=True)
    reader.run(f"{approve.replace('anna', 'ben')} --yes")
    reader.run(reader.line("fluvial task register"))
    (reader.folder / "heart.yaml").write_text(text.replace("quorum: 3", "quorum: 2").replace("four", "4"))
    reader.run(reader.line("fluvial task update heart.yaml"))
    reader.run(reader.line("fluvial task pause"))
    reader.run("fluvial task resume heart")
    reader.run(reader.line("fluvial task finish"))
    reader.run(f"{reader.line('fluvial task remove')} --yes")
    reader.wait_for(clinic)


def test_access_is_granted_and_taken_away(reader: Reader) -> None:
    reader.run("fluvial up --secure")
    reader.run("fluvial submit validation")
    reader.run("fluvial task create deploy/tasks/heart/task.yaml")
    for folder in ("for-cleveland", "for-va"):
        reader.run(reader.line(f"fluvial access grant {folder.removeprefix('for-')}"))
    (reader.folder / "token").write_text(reader.token("cleveland"))
    reader.run(reader.line("fluvial enrol --federation for-cleveland"))
    reader.run(reader.line("fluvial access revoke"))
    reader.run("fluvial model list --federation for-cleveland/federation.json", fails=True)


def test_every_line_was_typed_or_is_run_elsewhere() -> None:
    left = {line for line in every_line() if not any(line.startswith(other) for other in RUN_ELSEWHERE)}
    assert left == Reader.typed
    assert all((CHECKOUT / file).exists() for file in RUN_ELSEWHERE.values())
