"""The command line as a shell starts it."""

import os
import subprocess
import sys


def test_the_shell_completes_verbs_and_options() -> None:
    code = "import sys; sys.argv = ['fluvial']; from fluvial.cli.main import run; run()"

    def completed(line: str) -> list[str]:
        place = str(len(line.split(" ")) - 1)
        asked = {"_FLUVIAL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": place}
        done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True)
        return done.stdout.split()

    assert completed("fluvial enr") == ["enrol"]
    assert "--name" in completed("fluvial participate --na")
