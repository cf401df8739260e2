"""The comparison without the systems that it compares."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.benchmarks import against_peers
from tests.benchmarks.against_peers import measure, summary, table
from tests.benchmarks.machine import machine
from tests.benchmarks.peers import flare, flower
from tests.benchmarks.peers.environments import Environment
from tests.benchmarks.peers.fluvial import Fluvial
from tests.benchmarks.peers.processes import Processes
from tests.benchmarks.peers.rounds import PeerFailed, Shape, differences


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a failed run leaves for a look does not stay for ever."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Stub:
    """A system whose rounds take what it is told."""

    def __init__(self, name: str, *seconds: float) -> None:
        self.name = name
        self.version = "1"
        self._seconds = list(seconds)

    def prepare(self, report) -> None:
        pass

    def run(self, shape, num_rounds, directory, time_limit, report) -> list[float]:
        if not self._seconds:
            raise PeerFailed("it broke\n--- its log")
        assert num_rounds == len(self._seconds)
        assert not list(directory.iterdir())
        return self._seconds


def test_a_shape_is_participants_and_megabytes() -> None:
    shape = Shape.parse("8x40")
    assert (shape.num_participants, shape.megabytes, shape.num_elements, str(shape)) == (8, 40, 10_000_000, "8x40")
    assert Shape.parse("10x0.1").num_elements == 25_000
    assert str(Shape.parse("10x0.1")) == "10x0.1"
    for wrong in ("8", "x40", "8x", "0x1", "8x0", "8x.5", "8x0.0", "8x0.000001", "8x4.5.5"):
        with pytest.raises(ValueError, match=r"8x|x40|0x1|'8'"):
            Shape.parse(wrong)


def test_the_first_round_does_not_count(temporary_folder: Path) -> None:
    result = measure(Stub("a", 100.0, 3.0, 1.0, 2.0), Shape.parse("1x1"), 3, 1.0)
    assert not list(temporary_folder.iterdir())
    assert (result["seconds_per_round"], result["first_seconds"], result["seconds"]) == (2.0, 100.0, [3.0, 1.0, 2.0])


def test_ratios_are_to_fluvial_and_a_failure_is_a_result() -> None:
    shape = Shape.parse("8x40")
    stubs = (Stub("flower", 9.0, 20.0), Stub("flare"), Stub("fluvial", 9.0, 2.0))
    found = summary(shape, {stub.name: measure(stub, shape, 1, 1.0) for stub in stubs})
    assert found["ratios"] == {"flower": 10.0}
    assert found["peers"]["flare"]["error"].startswith("it broke")
    versions = {stub.name: stub.version for stub in stubs}
    text = "\n".join(table({"machine": machine(), "versions": versions, "shapes": [found]}))
    assert "10.0 times Fluvial's" in text
    assert "failed: it broke" in text
    assert "its log" not in text


def test_results_are_written_and_a_failure_is_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs = {"flower": Stub("flower", 1.0, 4.0), "flare": Stub("flare"), "fluvial": Stub("fluvial", 1.0, 2.0)}
    monkeypatch.setattr(against_peers, "_peers", lambda environments: stubs)
    output = tmp_path / "out.json"
    options = ["--rounds", "1", "--shapes", "2x1", "--output", str(output)]
    assert against_peers.main([*options, "--peers", "flower,fluvial"]) == 0
    assert json.loads(output.read_text())["shapes"][0]["ratios"] == {"flower": 2.0}
    assert against_peers.main([*options, "--peers", "flare"]) == 1
    assert "flare" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--peers", "abc"], ["--shapes", "8"], ["--rounds", "0"]])
def test_wrong_options_say_what_is_wrong(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        against_peers.main(wrong)
    assert wrong[1] in capsys.readouterr().err


def test_flowers_times_are_its_complete_lines(tmp_path: Path) -> None:
    assert flower._times(tmp_path / "absent") == []
    (tmp_path / "times").write_text("0 10.0\n1 12.5\n2 1")
    assert differences(flower._times(tmp_path / "times")) == [2.5]


def test_flares_times_are_starts_of_rounds_and_the_end(tmp_path: Path) -> None:
    times = ("01,000", "03,500", "04,000")
    messages = ("\n---\n  Round 0 started. \n---", "Round 1 started.", "Finished FedAvg.")
    lines = [
        json.dumps({"asctime": f"2026-11-21 16:02:{at}", "message": m}) for at, m in zip(times, messages, strict=True)
    ]
    between = json.dumps({"asctime": "2026-11-21 16:02:02,000", "message": "Finished one task"})
    (tmp_path / "log").write_text("\n".join([lines[0], between, *lines[1:], '{"asctime": "cut off']))
    assert differences(flare._times(tmp_path / "log")) == [2.5, 0.5]


def test_no_process_outlives_its_run_whatever_it_left_behind(tmp_path: Path) -> None:
    """The child starts a grandchild in a session of its own and waits."""
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = Environment(tmp_path / "environment", ())
    with Processes(tmp_path, 60.0) as processes:
        child = processes.start("child", [sys.executable, "-c", program], environment.variables(processes.marker))
        processes.wait_until(lambda: processes.log("child").read_text().endswith("\n"), "the grandchild runs")
        grandchild = int(processes.log("child").read_text())
        assert psutil.pid_exists(grandchild)
    assert child.poll() is not None
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


def test_an_early_end_and_a_time_limit_show_the_last_lines(tmp_path: Path) -> None:
    variables = Environment(tmp_path, ()).variables("marker")
    program = [sys.executable, "-c", "print('out of luck'); raise SystemExit(3)"]
    with Processes(tmp_path, 60.0) as processes:
        processes.start("child", program, variables)
        with pytest.raises(PeerFailed, match=r"status 3\n.*\nout of luck"):
            processes.wait_until(lambda: False, "never")
    with Processes(tmp_path, 0.1) as processes, pytest.raises(PeerFailed, match="not within 0 s"):
        processes.wait_until(lambda: False, "never")


def test_a_failed_installation_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command, stdout, stderr, timeout) -> subprocess.CompletedProcess[bytes]:
        stdout.write("no such version\n")
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(PeerFailed, match="no such version"):
        Environment(tmp_path / "environment", ("a==1",)).make(lambda line: None)


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command, **_) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        (tmp_path / "environment").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        Environment(tmp_path / "environment", ("a==1",)).make(lambda line: None)
    assert len(commands) == 2  # venv and pip
    Environment(tmp_path / "environment", ("a==2",)).make(lambda line: None)
    assert commands[-1][-1] == "a==2"


@pytest.mark.parametrize("bit_exact", [True, False])
def test_fluvials_rounds_are_those_that_its_benchmark_prints(tmp_path: Path, bit_exact: bool) -> None:
    result = {"rounds": [{"seconds": 3.5}, {"seconds": 1.5}], "replay": {"bit_exact": bit_exact}}
    command = tmp_path / "fluvial"
    command.write_text(
        f"#!{sys.executable}\nimport sys\nassert sys.argv[1:4] == ['bench', 'aggregate', '--json'], sys.argv\n"
        f"print('round 1: 3.5 s', file=sys.stderr)\nprint({json.dumps(json.dumps(result))})\n"
    )
    command.chmod(0o700)
    said: list[str] = []
    if bit_exact:
        assert Fluvial(command).run(Shape.parse("8x40"), 2, tmp_path, 60.0, said.append) == [3.5, 1.5]
        assert said == ["fluvial 8x40: round 1: 3.5 s"]
    else:
        with pytest.raises(PeerFailed, match="not bit-exact"):
            Fluvial(command).run(Shape.parse("8x40"), 2, tmp_path, 60.0, said.append)


def test_a_benchmark_that_fails_says_why(tmp_path: Path) -> None:
    command = tmp_path / "fluvial"
    command.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no broker')\n")
    command.chmod(0o700)
    with pytest.raises(PeerFailed, match=r"status 1(.|\n)*no broker"):
        Fluvial(command).run(Shape.parse("8x40"), 2, tmp_path, 60.0, lambda line: None)
