"""`fluvial bench`: measurements on a stack of its own, in a temporary directory that is removed afterwards."""

from __future__ import annotations

import json as json_module
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.bench import lines
from deploy.machine.errors import StackError
from fluvial.cli.common import JsonOption, console, errors, print_json, reported
from fluvial.cli.interruption import interruptible, uninterrupted

app = typer.Typer(help="Measure this machine: aggregation, validation, the audit log, inference.", no_args_is_help=True)

ParallelismOption = Annotated[int, typer.Option(min=1, max=1024, help="Slots of the job.")]


class Uploads(StrEnum):
    """When the envelopes go out."""

    BEFORE = "before"
    CONCURRENT = "concurrent"


@app.command()
@reported
def limits(json: JsonOption = False) -> None:
    """What this machine can do at most: SHA-256, Ed25519 and the exact sum on one core, reading from a broker by
    librdkafka, and handing a record from Java to Python and back. The other benchmarks print shares of these."""
    with _directory() as directory:
        from deploy.bench import limits as machine

        result = machine.run(directory, report=_report)
    _show(result, lines.limits(result), json)


@app.command()
@reported
def aggregate(
    participants: Annotated[int, typer.Option(min=1, max=1_000_000, help="Participants.")] = 8,
    megabytes: Annotated[
        float, typer.Option(min=0.068, max=1000, help="Size of the model and of each update, in 10^6 bytes.")
    ] = 40,
    rounds: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rounds.")] = 3,
    uploads: Annotated[
        Uploads,
        typer.Option(
            help="before: participants upload at the same time, and their envelopes go out when the last chunk is in "
            "the log, so that aggregating is measured apart from uploading. concurrent: each goes out when it is ready."
        ),
    ] = Uploads.BEFORE,
    rule: Annotated[
        str, typer.Option(help='Rule as JSON, as in a task file: {"name": "trimmed_mean", "num_byzantine": 2}.')
    ] = '{"name": "weighted_mean"}',
    shards: Annotated[
        int, typer.Option(min=1, max=1_024, help="Shards of the model: partitions of the tensor topics.")
    ] = 4,
    processes: Annotated[
        int,
        typer.Option(min=0, max=1024, help="Processes of the participants; 0 for one each, or one a core beyond 16."),
    ] = 0,
    at_once: Annotated[
        int, typer.Option(min=1, max=1_024, help="Participants of a process that upload at a time.")
    ] = 8,
    parallelism: ParallelismOption = 2,
    json: JsonOption = False,
) -> None:
    """Rounds of large signed updates from separate processes, through validation and aggregation.

    seconds_per_round: from one model being visible to the next, with download and upload, without training (there is
    none). megabytes_per_second: update bytes over the time from the first envelope in the log to the model being
    visible to a reader of committed records. megabytes_per_second_from_upload: the same bytes over the time from the
    first chunk's upload. All three are medians over the rounds. Megabytes are 10^6 bytes.
    """
    specification = _rule(rule)
    with _directory() as directory:
        from deploy.bench import aggregate as large_updates  # brings in torch: seconds, for every verb of `fluvial`

        result = large_updates.run(
            directory,
            num_participants=participants,
            megabytes=int(megabytes) if megabytes.is_integer() else megabytes,
            num_rounds=rounds,
            uploads=uploads.value,
            parallelism=parallelism,
            shards=shards,
            processes=processes,
            at_once=at_once,
            rule=specification,
            report=_report,
        )
    _show(result, lines.aggregate(result), json)


@app.command()
@reported
def envelopes(
    count: Annotated[int, typer.Option(min=1000, max=100_000_000, help="Updates.")] = 20_000,
    parallelism: ParallelismOption = 1,
    task_managers: Annotated[
        int,
        typer.Option(
            min=0,
            max=256,
            help="On a session cluster of so many TaskManagers, each with a slot and an interpreter of its own, in "
            "place of a local job with --parallelism, whose operators share one interpreter.",
        ),
    ] = 0,
    window: Annotated[bool, typer.Option("--window", help="On into the windows of aggregation.")] = False,
    json: JsonOption = False,
) -> None:
    """Small signed updates through validation: verdicts per second, start-up left out."""
    with _directory() as directory:
        from deploy.bench import envelopes as small_updates

        result = small_updates.run(
            directory,
            num_envelopes=count,
            parallelism=parallelism,
            task_managers=task_managers,
            window=window,
            report=_report,
        )
    _show(result, lines.envelopes(result, count), json)


@app.command()
@reported
def audit(
    count: Annotated[int, typer.Option(min=1000, max=100_000_000, help="Events.")] = 50_000,
    json: JsonOption = False,
) -> None:
    """Events through the sequencer into the audit log: leaves per second, start-up left out."""
    with _directory() as directory:
        from deploy.bench import audit as leaves

        result = leaves.run(directory, num_events=count, report=_report)
    _show(result, lines.audit(result, count), json)


@app.command()
@reported
def recovery(
    count: Annotated[int, typer.Option(min=1000, max=100_000_000, help="Verdicts in the log.")] = 100_000,
    unanswered: Annotated[
        int, typer.Option(min=0, max=100_000_000, help="Accepted updates that have no receipt yet.")
    ] = 5_000,
    parallelism: ParallelismOption = 1,
    json: JsonOption = False,
) -> None:
    """Validation, aggregation and audit started without state on a log of that many verdicts: seconds from the
    submission until a new record has its verdict and its leaf, and the same on an empty log."""
    if unanswered > count:
        raise typer.BadParameter(f"there are {count} verdicts", param_hint="--unanswered")
    with _directory() as directory:
        from deploy.bench import recovery as recoveries

        result = recoveries.run(
            directory, num_verdicts=count, num_unanswered=unanswered, parallelism=parallelism, report=_report
        )
    _show(result, lines.recovery(result, count, unanswered), json)


@app.command()
@reported
def checkpoints(
    participants: Annotated[int, typer.Option(min=2, max=1_000_000, help="Participants.")] = 10_000,
    rounds: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Rounds; what the gate remembers is full after nine.")
    ] = 14,
    parallelism: ParallelismOption = 1,
    json: JsonOption = False,
) -> None:
    """Bytes and milliseconds of checkpoints, round by round, while half of the participants, drawn anew, send small
    updates in each."""
    with _directory() as directory:
        from deploy.bench import checkpoints as measured

        result = measured.run(
            directory, num_participants=participants, num_rounds=rounds, parallelism=parallelism, report=_report
        )
    _show(result, lines.checkpoints(result), json)


@app.command()
@reported
def flood(
    per_second: Annotated[int, typer.Option(min=1, max=1_000_000, help="Honest updates a second.")] = 50,
    seconds: Annotated[int, typer.Option(min=5, max=86_400, help="Length of each of the three phases.")] = 20,
    parallelism: ParallelismOption = 1,
    json: JsonOption = False,
) -> None:
    """Honest updates at a steady rate: alone, beside a participant and a stranger who send junk as fast as they can to
    a topic that nobody reads (what the machine leaves), and while they send it to the updates. Verdicts per second, and
    the time from an update in the log until its verdict is seen (-1: none came)."""
    with _directory() as directory:
        from deploy.bench import flood as floods

        result = floods.run(directory, per_second=per_second, seconds=seconds, parallelism=parallelism, report=_report)
    _show(result, lines.flood(result), json)


@app.command()
@reported
def scoring(
    candidates: Annotated[int, typer.Option(min=8, max=1_000_000, help="Candidate models.")] = 128,
    examples: Annotated[int, typer.Option(min=1, max=65_536, help="Examples of the canary set.")] = 256,
    json: JsonOption = False,
) -> None:
    """Candidate models (a base and one update each) on a canary set: candidates a second, by device and way.

    example_by_example: no batches. loop: one candidate after the other, the canary set as one batch. stacked_N: N
    candidates at once (torch.func.vmap). with_scores: the chosen way, with losses, recalls and cosines.
    """
    from deploy.bench import scoring as candidate_scoring  # brings in torch

    result = candidate_scoring.run(candidates=candidates, examples=examples, report=_report)
    _show(result, lines.scoring(result), json)


@app.command()
@reported
def inference(
    seconds: Annotated[float, typer.Option(min=2, max=86_400, help="Length of each load.")] = 10.0,
    parallelism: ParallelismOption = 1,
    compared: Annotated[
        bool, typer.Option("--compare/--no-compare", help="The same load on FastAPI and torch too.")
    ] = True,
    phases: Annotated[
        list[str] | None, typer.Option("--phase", help="single, batches, swaps; all without it. May be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Requests to a released model at fixed arrival times: answers a second, and latencies from the intended times.

    The network of the task digits; one example a request and 64, at half the target rate and at the target, and swaps
    of releases under load; beside it the same network behind FastAPI and torch. -1 ms: a request was not answered.
    """
    with _directory() as directory:
        from deploy.bench import inference as serving  # brings in torch

        chosen = phases or ["single", "batches", "swaps"]
        result = serving.run(
            directory, seconds=seconds, parallelism=parallelism, compared=compared, phases=chosen, report=_report
        )
    _show(result, lines.inference(result), json)


def _rule(text: str) -> dict[str, Any]:
    try:
        rule = json_module.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--rule") from error
    if not isinstance(rule, dict) or "name" not in rule:
        raise typer.BadParameter('a rule is an object with a "name"', param_hint="--rule")
    return rule


def _report(line: str) -> None:
    errors.print(line, markup=False)


def _show(result: Mapping[str, Any], shown: Iterable[str], json: bool) -> None:
    if json:
        print_json(result)
        return
    for line in shown:
        console.print(line, markup=False)


@contextmanager
def _directory() -> Iterator[Path]:
    """A temporary directory; what a failed measurement says names files in it, so then it stays."""
    with interruptible():
        directory = Path(tempfile.mkdtemp(prefix="fluvial-bench-"))
        try:
            yield directory
        except (RuntimeError, TimeoutError) as error:
            raise StackError(f"{error}\n(the directory {directory} is left for a look)") from error
        except BaseException:
            _remove(directory)
            raise
        _remove(directory)


def _remove(directory: Path) -> None:
    with uninterrupted():
        shutil.rmtree(directory, ignore_errors=True)


__all__ = ["app"]
