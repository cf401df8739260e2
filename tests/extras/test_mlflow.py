"""`fluvial model push` against a real MLflow server."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from click.testing import Result
from safetensors.torch import load_file
from typer.testing import CliRunner

from fluvial.cli import model_export
from fluvial.cli.common import Exit
from fluvial.cli.verbs import app, mount_for
from tests.unit.fluvial.cli.published_task import PublishedTask
from tests.unit.fluvial.edge.world import TASK

mount_for([])

_SECONDS = 120.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_for(uri, process, folder / "log")
        yield uri
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)


def wait_for(uri: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.3)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedTask:
    monkeypatch.chdir(tmp_path)
    found = PublishedTask(tmp_path)
    found.release()
    monkeypatch.setattr(model_export, "connect", lambda *_: found.world.transport)
    monkeypatch.setattr(found.world.transport, "close", lambda: None)
    return found


def push(uri: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["model", "push", TASK, "--mlflow", uri, *words])


def test_a_model_is_registered_once_and_answers_as_the_federations(server: str, published: PublishedTask) -> None:
    words = ["--name", "scans", "--package", "chest-xray", "--json"]
    done = push(server, *words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["name"], told["registered_version"], told["is_new"]) == ("scans", "1", True)
    client = mlflow.MlflowClient(server, server)
    found = client.get_model_version("scans", "1")
    assert found.tags["fluvial.model_digest"] == published.manifest.model_digest.hex()
    assert "# Scans | of chests" in found.description
    run = client.get_run(told["run_id"])
    assert run.data.metrics["auc"] == 0.8125
    assert run.data.metrics["site/north/auc"] == 0.75
    assert run.data.metrics["participants/auc.median"] == 0.71
    assert run.data.params["updates"] == "2"
    mlflow.set_tracking_uri(server)
    mlflow.set_registry_uri(server)
    served = mlflow.pyfunc.load_model("models:/scans/1")
    inputs = published.examples().inputs
    answers = served.predict(inputs)["outputs"]
    np.testing.assert_allclose(answers, published.answers(), rtol=1e-5, atol=1e-6)
    again = push(server, *words)
    assert again.exit_code == 0, again.output
    told_again = json.loads(again.stdout.splitlines()[-1])
    assert (told_again["registered_version"], told_again["is_new"]) == ("1", False)


def test_without_its_code_what_travelled_is_registered(server: str, published: PublishedTask, tmp_path: Path) -> None:
    done = push(server, "--format", "safetensors", "--name", "plain")
    assert done.exit_code == 0, done.output
    client = mlflow.MlflowClient(server, server)
    found = client.get_model_version("plain", "1")
    folder = client.download_artifacts(found.run_id, "", str(tmp_path))
    tensors = load_file(Path(folder) / f"{TASK}-1.safetensors")
    assert (tensors["last.weight"] == published.module.last.weight).all()
    assert (Path(folder) / "README.md").read_text().startswith("---\nlicense: apache-2.0\n")


def test_a_server_that_is_not_there_is_said_in_a_line(
    published: PublishedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = push("http://127.0.0.1:9", "--format", "safetensors")
    assert done.exit_code == Exit.UNAVAILABLE, done.output
    assert "http://127.0.0.1:9" in done.output
