"""What the process of a job does (`pipelines.main`): it takes the named stages, builds their graph, composed into one
job, and runs it. Where the cluster is this process's own, a job that lost a transaction is started again in this
process's place, and goes on from the log.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from fluvial.wire.errors import FluvialError, TransportError
from pipelines.config import Settings
from pipelines.flink import cluster, early_python, gateway, without_beam
from pipelines.flink.environment import JobFailed, execute, stream_environment
from pipelines.flink.full_disk import wait_for_room
from pipelines.flink.graph import Graph
from pipelines.flink.taking import take_stages
from pipelines.leases.endings import Ending, Start, ending_of
from pipelines.topology import stages_named

_START = "FLUVIAL_JOB_START"
"""Environment variable that tells a process which start of its job it is."""

_BROKER_AWAY_SECONDS = 1.0


def get_ready(stages: Sequence[str]) -> None:
    """Import what a job of these stages takes; for its operators too where its cluster is this process's own. Raises
    ValueError for a stage that there is not, RuntimeError without Java."""
    without_beam.import_pyflink_without_beam()
    for stage in stages_named(list(stages)).values():
        importlib.import_module(stage.module)
    if cluster.is_local():
        early_python.begin()


def run(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Run the job, or submit it. arguments: of `pipelines.main`. words: they as it takes them, for a start anew. Raises
    SystemExit with a sentence, or JobFailed."""
    settings = Settings.load(arguments.settings)
    start = Start()
    if _START in os.environ:
        start = Start.from_text(os.environ[_START])
        settings = settings.model_copy(update={"restore_from": None})
    _run(settings, arguments, start, words)


def _run(settings: Settings, arguments: argparse.Namespace, start: Start, words: Sequence[str]) -> None:
    stages = stages_named([name for name in arguments.stages.split(",") if name])
    environment = stream_environment(settings, arguments.name)
    checkpoints = settings.checkpoint_dir / arguments.name
    try:
        settings = _taken(settings, arguments, start, list(stages))
    except FluvialError as error:
        sys.exit(f"error: {error}")
    graph = Graph(environment, settings, arguments.name, list(stages))
    try:
        for stage in stages.values():
            importlib.import_module(stage.module).attach(graph)
        graph.finish()
    except FluvialError as error:
        if not (start.epoch and error.retriable):
            sys.exit(f"error: {error}")
        lost = replace(start, epoch=settings.held().epoch, unbuilt=start.unbuilt + 1)
        _start_again(lost, str(error), checkpoints, words)
    began, began_ns = time.monotonic(), time.time_ns()
    try:
        execute(environment, arguments.name)
    except JobFailed as error:
        ending, sentence = ending_of(f"{error}")
        if ending is Ending.LEASE_LOST or not cluster.is_local():
            sys.exit(f"error: {sentence or error}")
        had_checkpoint = _has_checkpoint(checkpoints, began_ns)
        again = start.next(ending, settings.held().epoch, time.monotonic() - began, had_checkpoint=had_checkpoint)
        if again is None and sentence:
            sys.exit(f"error: {sentence}")
        if again is None:
            raise
        traceback.print_exc()
        _start_again(again, sentence, checkpoints, words)


def _taken(settings: Settings, arguments: argparse.Namespace, start: Start, stages: list[str]) -> Settings:
    """The settings with the job's lease. A job that starts again waits for a broker that is away, as it did while it
    ran: nobody is there who would submit it once more. Raises FluvialError."""
    gone = [*arguments.gone, start.epoch]
    take_over = arguments.take_over and not start.epoch  # once: who holds them since then is not to be disturbed
    told = ""
    while True:
        try:
            return take_stages(settings, arguments.name, stages, take_over=take_over, gone=gone, cause=start.cause)
        except TransportError as error:
            if not (start.epoch and error.retriable):
                raise
            if told != str(error):
                print(f"waiting for the broker: {error}", file=sys.stderr, flush=True)
            told = str(error)
            time.sleep(_BROKER_AWAY_SECONDS)


def _has_checkpoint(folder: Path, since_ns: int) -> bool:
    return any(metadata.stat().st_mtime_ns > since_ns for metadata in folder.glob("*/chk-*/_metadata"))


def _start_again(start: Start, sentence: str, checkpoints: Path, words: Sequence[str]) -> NoReturn:
    """In the place of this process, so that whoever waits for its end goes on waiting; not before there is room for
    what a start writes, here and into the folder of checkpoints."""
    print(f"starting again from the log: {sentence or 'the job failed'}", file=sys.stderr, flush=True)
    gateway.end()
    time.sleep(start.pause_seconds)
    wait_for_room([Path.cwd(), checkpoints])
    os.environ[_START] = start.to_text()
    as_started = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]  # what comes before the arguments
    os.execv(sys.executable, [sys.executable, *as_started, *words])
