"""`fluvial submit`: stages as a job."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.common import DataDirOption
from deploy.federation.directory import DEFAULT, DataDirectory
from deploy.jobs.submission import LocalJob, Submission, submit_to_session
from fluvial.cli.common import Exit, PackageOption, console, fail, load_federation, reported
from fluvial.cli.interruption import interruptible, uninterrupted
from fluvial.identity.federation import Federation
from pipelines.topology import STAGES


class Target(StrEnum):
    """Where a job runs."""

    local = "local"
    session = "session"


@reported
def submit(
    stages: Annotated[list[str], typer.Argument(help=f"{', '.join(STAGES)}; several are composed into one job.")],
    target: Annotated[
        Target, typer.Option(help="local: a Flink in this command's foreground. session: the stack's cluster.")
    ] = Target.session,
    name: Annotated[str, typer.Option(help="Name of the job and of its checkpoints; else that of its stages.")] = "",
    parallelism: Annotated[
        int, typer.Option(min=1, max=1024, help="Subtasks of each operator; each needs a slot.")
    ] = 1,
    savepoint: Annotated[
        Path | None,
        typer.Option(
            help="Start from this savepoint or checkpoint of the job that ended last, not from the log: of this "
            "release and a like parallelism."
        ),
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take the stages also from jobs that are alive, which then end.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="Device of evaluation, acceleration and inference: auto, cpu or cuda.")
    ] = "auto",
    package: PackageOption = None,
    federation_file: Annotated[
        Path | None, typer.Option("--federation", help="Another federation's file; else that of the data directory.")
    ] = None,
    data_dir: DataDirOption = DEFAULT,
) -> None:
    """Run stages as one Flink job, which goes on from what the log holds."""
    directory = DataDirectory(data_dir)
    federation = load_federation(federation_file) if federation_file else directory.federation()
    submission = Submission(
        stages=tuple(stages),
        name=name,
        parallelism=parallelism,
        savepoint=savepoint,
        take_over=take_over,
        settings={"device": device, "packages": _checked(package or [])},
    )
    if target is Target.session:
        with interruptible():
            job_id = submit_to_session(directory, submission, federation)
        console.print(f"the job {submission.job_name} runs: {job_id}", markup=False)
    else:
        _run_here(directory, submission, federation)


def _checked(folders: list[Path]) -> list[str]:
    """The folders' paths. Raises PackageError for one that is no package, now and not in the job."""
    if not folders:
        return []
    from fluvial.edge.packages import TaskPackage  # late: it brings in numpy

    return [str(TaskPackage.open(folder).folder) for folder in folders]


def _run_here(directory: DataDirectory, submission: Submission, federation: Federation) -> None:
    job = LocalJob(directory, submission, federation)
    status: int | None = None
    with interruptible():
        try:
            job.start()
            job.wait_until_running()
            console.print(f"the job {job.name} runs; Ctrl-C stops it. Log: {job.log}", markup=False)
            status = job.wait()
        except KeyboardInterrupt:
            console.print(f"stopped the job {job.name}; whoever is submitted next goes on from the log", markup=False)
        finally:
            with uninterrupted():
                job.stop()
    if status:
        fail(f"the job {job.name} failed", f"See the end of {job.log}", Exit.FAILURE)
