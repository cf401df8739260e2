"""The command as a process: what signals and closed pipes do to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[4]
VERBS = """
import atexit, sys, time
import typer
from fluvial.cli import main, verbs
from fluvial.cli.common import console, print_json, reported

verbs.installed = lambda: []

@verbs.app.command()
@reported
def lines():
    for number in range(100_000):
        print_json({"number": number})

@verbs.app.command()
@reported
def table():
    for number in range(100_000):
        console.print(number)

@verbs.app.command()
@reported
def few():
    print("one line, which stands in a buffer until the end")
    time.sleep(0.3)

@verbs.app.command()
@reported
def foreign():
    console.print("donn\u00e9es")

@verbs.app.command()
@reported
def opened():
    assert open(sys.executable).fileno() > 2
    print("said", flush=True)

@verbs.app.command()
@reported
def wait():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)

@verbs.app.command()
@reported
def named(file: str = typer.Option()):
    print(file)

@verbs.app.command()
@reported
def ticks():
    while True:
        print("tick", flush=True)
        time.sleep(0.01)

@verbs.app.command()
@reported
def late():
    atexit.register(lambda: (print("ending", flush=True), time.sleep(60)))

main.run()
"""


def start(verb: str, *before: str) -> subprocess.Popen[str]:
    """before: words of a command that runs this one."""
    return subprocess.Popen(
        [*before, sys.executable, "-c", VERBS, verb],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may be under nohup themselves
    )


@pytest.mark.parametrize("verb", ["lines", "table", "few"])
def test_a_pipe_that_is_read_no_more_ends_the_command_without_a_word(verb: str) -> None:
    process = start(verb)
    assert process.stdout is not None
    assert process.stderr is not None
    if verb != "few":
        assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_command_can_be_asked_to_end(number: signal.Signals) -> None:
    """Ended by the default action it would say -15; and process 1 of a container has no default action. However often
    it is asked meanwhile, to the interpreter's last act."""
    process = start("wait")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    asked = time.monotonic()
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(0.001)
        assert time.monotonic() - asked < 30.0  # a fraction of a second where the machine is not busy
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "cleaned up\n", "interrupted\n")


def test_what_nohup_started_outlives_its_terminal() -> None:
    process = start("ticks", "nohup")
    assert process.stdout is not None
    assert process.stdout.readline() == "tick\n"
    process.send_signal(signal.SIGHUP)
    assert [process.stdout.readline() for _ in range(50)] == ["tick\n"] * 50
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_when_the_command_is_done_ends_it_without_a_word(number: signal.Signals) -> None:
    """As an impatient second Ctrl-C does, while the interpreter puts its things away."""
    process = start("late")
    assert process.stdout is not None
    assert process.stdout.readline() == "ending\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


def shell(script: str, program: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A script of a shell, in which `program` is the command."""
    return subprocess.run(
        ["bash", "-c", f'program() {{ "$0" "$PROGRAM" "$@"; }}; {script}', sys.executable],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PROGRAM": str(program), **environment},
        timeout=60,
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(VERBS)
    return path


@pytest.mark.parametrize("words", ["--help", "--version", "few", "lines"])
def test_an_output_without_room_is_told_and_is_no_fault_of_ours(program: Path, words: str) -> None:
    done = shell(f"program {words} > /dev/full", program)
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"error:") == 1


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_stop_no_command_and_leave_their_numbers_to_no_file(program: Path, closed: str) -> None:
    done = shell(f"program opened {closed}", program)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_an_encoding_does_not_have_is_spelt_out(program: Path) -> None:
    done = shell("program --help && program foreign", program, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"donn\\xe9es" in done.stdout


@pytest.mark.parametrize("words", ["--help", "", "key"])
def test_help_that_is_read_no_more_ends_as_every_output_does(program: Path, words: str) -> None:
    done = shell(f"set -o pipefail; program {words} | true", program)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_tilde_behind_an_option_is_the_home_folder(program: Path, tmp_path: Path) -> None:
    done = shell("cd $HOME && program named --file=~/a.txt && program named --file=~", program, HOME=str(tmp_path))
    assert done.stdout.decode().splitlines() == [str(tmp_path / "a.txt"), str(tmp_path)]
