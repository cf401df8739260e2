"""The process behind `fluvial up`: runs a stack until it is told to end. `python -m deploy.local.supervisor FOLDER`

A signal may come while the modules of a stack are imported. Python's own handler raises there, and an exception in a
callback of the import system is told and lost; so nothing of them is imported before a handler of ours is there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fluvial.cli.interruption import leave_when_asked, wait_until_asked

if TYPE_CHECKING:
    from deploy.local.stack import Report


def supervise(
    root: Path, *, task_managers: int, partitions: int, secure: bool, report: Report, named: bool = True
) -> None:
    """Run a stack until Ctrl-C, SIGTERM or SIGHUP; arguments as `Stack`. Raises StackError when it cannot start."""
    from deploy.local.stack import running_stack

    try:
        with running_stack(
            root, task_managers=task_managers, partitions=partitions, secure=secure, named=named, report=report
        ):
            report("the stack is up")
            wait_until_asked()
    except KeyboardInterrupt:
        report("the stack has stopped; its data stays")


def main() -> None:
    leave_when_asked()
    from deploy.local.defaults import DEFAULT_PARTITIONS
    from deploy.machine.errors import StackError

    parser = argparse.ArgumentParser(description=supervise.__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--task-managers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=DEFAULT_PARTITIONS)
    parser.add_argument("--secure", action="store_true")
    parser.add_argument("--no-id", action="store_true")
    arguments = parser.parse_args()
    try:
        supervise(
            arguments.root,
            task_managers=arguments.task_managers,
            partitions=arguments.partitions,
            secure=arguments.secure,
            named=not arguments.no_id,
            report=lambda line: print(line, flush=True),
        )
    except (StackError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
