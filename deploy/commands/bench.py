"""`fluvial bench`: measurements on a stack of its own, in a temporary directory that is removed afterwards."""

from __future__ import annotations

import json as json_module
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.machine.errors import StackError
from fluvial.cli.common import JsonOption, console, errors, print_json, reported
from fluvial.cli.interruption import interruptible, uninterrupted

app = typer.Typer(help="Measure this machine: aggregation, validation, the audit log, inference.", no_args_is_help=True)

ParallelismOption = Annotated[int, typer.Option(min=1, help="Slots of the job.")]


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
    if json:
        print_json(result)
        return
    console.print(f"  SHA-256            {result['sha256_megabytes_per_second']:8.0f} MB/s of one core")
    console.print(f"  exact sum          {result['exact_sum_megabytes_per_second']:8.0f} MB/s of one core")
    console.print(f"  Ed25519            {result['ed25519_per_second']:8.0f} verifications/s of one core")
    console.print(f"  librdkafka         {result['read_megabytes_per_second']:8.0f} MB/s from the broker, read alone")
    console.print(f"  crossing           {result['crossing_microseconds']:8.2f} us from Java to Python and back")


@app.command()
@reported
def aggregate(
    participants: Annotated[int, typer.Option(min=1, help="Participants.")] = 8,
    megabytes: Annotated[
        float, typer.Option(min=0.068, max=1000, help="Size of the model and of each update, in 10^6 bytes.")
    ] = 40,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds.")] = 3,
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
    shards: Annotated[int, typer.Option(min=1, help="Shards of the model: partitions of the tensor topics.")] = 4,
    processes: Annotated[
        int, typer.Option(min=0, help="Processes of the participants; 0 for one each, or one a core beyond 16.")
    ] = 0,
    at_once: Annotated[int, typer.Option(min=1, help="Participants of a process that upload at a time.")] = 8,
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
    if json:
        print_json(result)
        return
    console.print(f"{participants} participants, {megabytes:g} MB each, {rounds} rounds, uploads {uploads.value}")
    console.print(f"  a round            {result['seconds_per_round']:8.2f} s")
    share = f"{result['share_of_sequential_read']:.2f} of librdkafka's sequential read"
    console.print(f"  from log to model  {result['megabytes_per_second']:8.0f} MB/s, {share}")
    console.print(f"  from first upload  {result['megabytes_per_second_from_upload']:8.0f} MB/s")
    replayed = result["replay"]
    outcome = "bit-exact" if replayed["bit_exact"] else "NOT bit-exact"
    share = f"{replayed['share_of_aggregation']:.2f} of the way there"
    console.print(f"  replay             {replayed['megabytes_per_second']:8.0f} MB/s  {outcome}, {share}")
    _print_memory(result["peak_rss_mb"])


@app.command()
@reported
def envelopes(
    count: Annotated[int, typer.Option(min=1000, help="Updates.")] = 20_000,
    parallelism: ParallelismOption = 1,
    task_managers: Annotated[
        int,
        typer.Option(
            min=0,
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
    if json:
        print_json(result)
        return
    console.print(f"{count} updates of {result['envelope_bytes']} bytes: {result['verdicts']}")
    share = f"{result['share_of_ed25519']:.2f} of one core's Ed25519 verifications"
    console.print(f"  validation         {result['envelopes_per_second']:8.0f} envelopes/s, {share}")
    _print_memory(result["peak_rss_mb"])


@app.command()
@reported
def audit(
    count: Annotated[int, typer.Option(min=1000, help="Events.")] = 50_000,
    json: JsonOption = False,
) -> None:
    """Events through the sequencer into the audit log: leaves per second, start-up left out."""
    with _directory() as directory:
        from deploy.bench import audit as leaves

        result = leaves.run(directory, num_events=count, report=_report)
    if json:
        print_json(result)
        return
    console.print(f"{count} events")
    share = f"{result['share_of_sequential_read']:.3f} of librdkafka's sequential read of the events"
    console.print(f"  sequencer          {result['leaves_per_second']:8.0f} leaves/s, {share}")
    _print_memory(result["peak_rss_mb"])


@app.command()
@reported
def recovery(
    count: Annotated[int, typer.Option(min=1000, help="Verdicts in the log.")] = 100_000,
    unanswered: Annotated[int, typer.Option(min=0, help="Accepted updates that have no receipt yet.")] = 5_000,
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
    if json:
        print_json(result)
        return
    console.print(f"{count} verdicts, {unanswered} updates without a receipt, {result['leaves']} leaves")
    for name, key in (("an empty log", "from_nothing"), ("this log", "from_the_log")):
        one = result[key]
        console.print(
            f"  {name:<14} running {one['running_seconds']:6.2f} s  verdict {one['first_verdict_seconds']:6.2f} s"
            f"  leaf {one['first_leaf_seconds']:6.2f} s"
        )
    for line in result["from_the_log"]["told"]:
        console.print(f"  {line}")
    console.print(f"  the log's share    {result['recovery_seconds']:8.2f} s")


@app.command()
@reported
def checkpoints(
    participants: Annotated[int, typer.Option(min=2, help="Participants.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; what the gate remembers is full after nine.")] = 14,
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
    if json:
        print_json(result)
        return
    console.print(f"{participants} participants, {result['target']} updates a round")
    for number, one in enumerate(result["rounds"], 1):
        if one["checkpoints"]:
            console.print(
                f"  round {number:<4} {one['checkpoints']:4} checkpoints  {one['smallest_bytes'] / 1e3:8.0f} to "
                f"{one['largest_bytes'] / 1e3:8.0f} kB  median {one['median_ms']:5.0f} ms, "
                f"longest {one['longest_ms']:5.0f} ms"
            )
    _print_memory(result["peak_rss_mb"])


@app.command()
@reported
def flood(
    per_second: Annotated[int, typer.Option(min=1, help="Honest updates a second.")] = 50,
    seconds: Annotated[int, typer.Option(min=5, help="Length of each of the three phases.")] = 20,
    parallelism: ParallelismOption = 1,
    json: JsonOption = False,
) -> None:
    """Honest updates at a steady rate: alone, beside a participant and a stranger who send junk as fast as they can to
    a topic that nobody reads (what the machine leaves), and while they send it to the updates. Verdicts per second, and
    the time from an update in the log until its verdict is seen (-1: none came)."""
    with _directory() as directory:
        from deploy.bench import flood as floods

        result = floods.run(directory, per_second=per_second, seconds=seconds, parallelism=parallelism, report=_report)
    if json:
        print_json(result)
        return
    console.print(f"{per_second} honest updates a second for {seconds} s, three times")
    for phase in floods.PHASES:
        one = result[phase]
        latencies = f"p50 {one['p50_ms']:.0f} ms, p99 {one['p99_ms']:.0f} ms"
        console.print(
            f"  {phase:<8} {one['per_second']:8.1f} verdicts/s  {latencies}  {one['judged']} of {one['updates']}"
        )
    for phase, junk in result["junk"].items():
        for name, sent in junk.items():
            console.print(f"  {phase:<8} {sent['records'] / seconds:8.0f} records/s of junk by the {name}")


@app.command()
@reported
def scoring(
    candidates: Annotated[int, typer.Option(min=8, help="Candidate models.")] = 128,
    examples: Annotated[int, typer.Option(min=1, help="Examples of the canary set.")] = 256,
    json: JsonOption = False,
) -> None:
    """Candidate models (a base and one update each) on a canary set: candidates a second, by device and way.

    example_by_example: no batches. loop: one candidate after the other, the canary set as one batch. stacked_N: N
    candidates at once (torch.func.vmap). with_scores: the chosen way, with losses, recalls and cosines.
    """
    from deploy.bench import scoring as candidate_scoring  # brings in torch

    result = candidate_scoring.run(candidates=candidates, examples=examples, report=_report)
    if json:
        print_json(result)
        return
    console.print(f"{candidates} candidates of {result['parameters']} parameters, {examples} examples")
    for device, rates in result["devices"].items():
        for way, rate in rates.items():
            console.print(f"  {device:<5} {way:<20} {rate:10.1f} candidates/s")


@app.command()
@reported
def inference(
    seconds: Annotated[float, typer.Option(min=2, help="Length of each load.")] = 10.0,
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
    if json:
        print_json(result)
        return
    for name, one in result.items():
        if isinstance(one, dict) and "answered_per_second" in one:
            p99 = f", p99 {one['p99_ms']:.1f}" if "p99_ms" in one else ""
            console.print(
                f"  {name:<20} {one['answered_per_second']:8.0f} of {one['offered_per_second']:6.0f} examples/s   "
                f"p50 {one['p50_ms']:.1f}, p95 {one['p95_ms']:.1f}{p99} ms   {one['failed']} failed"
            )
    for name in ("ratio_single", "ratio_batches"):
        if name in result:
            console.print(f"  {name:<20} {result[name]:8.2f} times FastAPI and torch")
    if swaps := result.get("swaps"):
        console.print(
            f"  swaps                {swaps['swaps']:8d}   {swaps['failed']} failed, {swaps['mixed']} answered by two, "
            f"p99 {swaps['before'].get('p99_ms', -1):.1f} ms before, {swaps['during'].get('p99_ms', -1):.1f} ms during"
        )
    _print_memory(result["peak_rss_mb"])


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


def _print_memory(peak_rss_mb: Mapping[str, float]) -> None:
    for role, megabytes in peak_rss_mb.items():
        console.print(f"  peak memory        {megabytes:8.0f} MB  {role}")


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
