"""The same rounds with Flower, NVIDIA FLARE and Fluvial, one after the other in one run on one machine.

    python -m tests.benchmarks.against_peers --output tests/benchmarks/results/DATE-MACHINE-peers.json

In every round each participant receives the model, float32, and sends an update as large; nobody trains. The first
round of each system is not counted. Flower and FLARE are installed by name and version into virtual environments of
their own (`--environments`, by default build/peers), once. Run nothing else meanwhile.

What differs stays different: Flower's and Fluvial's participants are processes, FLARE's threads of one; Fluvial alone
signs, checks contents, keeps a log and publishes exactly once. Nobody encrypts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from fluvial.cli.interruption import interruptible
from tests.benchmarks.machine import machine
from tests.benchmarks.peers.flare import Flare
from tests.benchmarks.peers.flower import Flower
from tests.benchmarks.peers.fluvial import Fluvial
from tests.benchmarks.peers.rounds import Peer, PeerFailed, Shape

NAMES = ("flower", "flare", "fluvial")
SHAPES = ("8x40", "50x1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 when a system failed."""
    options = _parser().parse_args(arguments)
    peers = _peers(options.environments)
    document: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": options.rounds,
        "versions": {name: peers[name].version for name in options.peers},
        "shapes": [],
    }
    try:
        with interruptible():
            for name in options.peers:
                peers[name].prepare(_report)
            for shape in options.shapes:
                measured = {
                    name: measure(peers[name], shape, options.rounds, options.time_limit) for name in options.peers
                }
                document["shapes"].append(summary(shape, measured))
                if options.output is not None:
                    options.output.write_text(json.dumps(document, indent=1) + "\n")
    except PeerFailed as error:
        _report(str(error))
        return 1
    except KeyboardInterrupt:
        _report("interrupted")
        return 130
    for line in table(document):
        print(line)
    failed = any("error" in each for shape in document["shapes"] for each in shape["peers"].values())
    return 1 if failed else 0


def measure(peer: Peer, shape: Shape, num_rounds: int, time_limit: float) -> dict[str, Any]:
    """One system, one shape; num_rounds are counted, one more is played before them. A failure is a result."""
    started = time.monotonic()
    _report(f"{peer.name} {peer.version}, {shape.num_participants} participants, {shape.megabytes} MB")
    directory = Path(tempfile.mkdtemp(prefix=f"fluvial-peers-{peer.name}-"))
    try:
        first, *counted = peer.run(shape, 1 + num_rounds, directory, time_limit, _report)
    except PeerFailed as error:
        _report(f"{peer.name} failed: {error}\n(the directory {directory} is left for a look)")
        return {"error": str(error)}
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    shutil.rmtree(directory, ignore_errors=True)
    return {
        "seconds_per_round": median(counted),
        "seconds": counted,
        "first_seconds": first,
        "total_seconds": time.monotonic() - started,
    }


def summary(shape: Shape, measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """ratios: seconds of each other system over Fluvial's."""
    seconds = {name: each["seconds_per_round"] for name, each in measured.items() if "error" not in each}
    own = seconds.get("fluvial")
    return {
        "participants": shape.num_participants,
        "megabytes": shape.megabytes,
        "peers": measured,
        "ratios": {name: each / own for name, each in seconds.items() if name != "fluvial"} if own else {},
    }


def table(document: dict[str, Any]) -> list[str]:
    """Lines for a terminal."""
    machine_ = document["machine"]
    lines = [f"{machine_['processor']}, {machine_['cores']} cores, {machine_['memory_gb']:.0f} GB"]
    for shape in document["shapes"]:
        lines.append(f"{shape['participants']} participants, {shape['megabytes']} MB down and up")
        for name, each in shape["peers"].items():
            version = document["versions"][name]
            if "error" in each:
                lines.append(f"  {name:8} {version:8} failed: {each['error'].splitlines()[0]}")
                continue
            ratio = f"{shape['ratios'][name]:6.1f} times Fluvial's" if name in shape["ratios"] else ""
            span = f"{min(each['seconds']):.2f} to {max(each['seconds']):.2f}"
            lines.append(f"  {name:8} {version:8} {each['seconds_per_round']:7.2f} s a round ({span}){ratio}")
    return lines


def _peers(environments: Path) -> dict[str, Peer]:
    return {"flower": Flower(environments), "flare": Flare(environments), "fluvial": Fluvial()}


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=_names, default=list(NAMES), help=f"of {','.join(NAMES)}; all by default")
    parser.add_argument(
        "--shapes",
        type=_shapes,
        default=_shapes(",".join(SHAPES)),
        help=f"PARTICIPANTSxMEGABYTES,...: {','.join(SHAPES)}",
    )
    parser.add_argument("--rounds", type=_positive, default=3, help="counted rounds, besides the first")
    parser.add_argument("--environments", type=Path, default=Path("build/peers"), help="folder of the environments")
    parser.add_argument("--time-limit", type=float, default=900.0, help="seconds for one system and shape")
    parser.add_argument("--output", type=Path, help="file for the results, as JSON")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"no system {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return names


def _shapes(text: str) -> list[Shape]:
    try:
        return [Shape.parse(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
