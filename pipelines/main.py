"""Entry point of every job: `python -m pipelines.main`, or `flink run -pym pipelines.main`.

It starts the JVM before it imports anything of size: each takes a second, on a core of its own. So whoever knows early
that there will be a job, and not yet with which settings, starts it with --told, and says the rest in a line on its
standard input; where that ends without a line there is no job, and the process ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipelines.flink import gateway
from pipelines.flink.full_disk import drop_what_finds_no_room


def main() -> None:
    words = sys.argv[1:]
    arguments = _parser().parse_args(words)
    drop_what_finds_no_room()
    gateway.begin()
    try:
        from pipelines import running  # late: the JVM starts meanwhile

        running.get_ready([name for name in arguments.stages.split(",") if name])
        if arguments.told:
            told = sys.stdin.readline()
            if not told.endswith("\n"):  # whoever was to tell is gone, or wants no job any more
                return
            words = [*(word for word in words if word != "--told"), *json.loads(told)]
            arguments = _parser().parse_args(words)
        if arguments.settings is None:
            sys.exit("error: --settings FILE is needed, here or as it is told")
        running.run(arguments, words)
    finally:
        gateway.end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run Fluvial stages as one Flink job.")
    parser.add_argument("--settings", type=Path, help="JSON file of pipelines.config.Settings")
    parser.add_argument("--stages", required=True, help="stages, separated by commas")
    parser.add_argument("--name", required=True, help="name of the job; also of its checkpoints")
    parser.add_argument("--take-over", action="store_true", help="take the stages also from jobs that are alive")
    parser.add_argument("--gone", type=int, nargs="*", default=[], help="leases whose holders are known to be gone")
    parser.add_argument("--told", action="store_true", help="further arguments come as a JSON list on standard input")
    return parser


if __name__ == "__main__":
    main()
