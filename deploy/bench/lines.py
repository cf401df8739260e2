"""What benchmarks found, as lines for people: each of what its benchmark returned, and what it was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Result = Mapping[str, Any]


def limits(result: Result) -> Iterator[str]:
    """What this machine can do."""
    yield f"  SHA-256            {result['sha256_megabytes_per_second']:8.0f} MB/s of one core"
    yield f"  exact sum          {result['exact_sum_megabytes_per_second']:8.0f} MB/s of one core"
    yield f"  Ed25519            {result['ed25519_per_second']:8.0f} verifications/s of one core"
    yield f"  librdkafka         {result['read_megabytes_per_second']:8.0f} MB/s from the broker, read alone"
    yield f"  crossing           {result['crossing_microseconds']:8.2f} us from Java to Python and back"


def aggregate(result: Result) -> Iterator[str]:
    """Rounds of large updates."""
    size = f"{result['participants']} participants, {result['megabytes']:g} MB each"
    yield f"{size}, {len(result['rounds'])} rounds, uploads {result['uploads']}"
    yield f"  a round            {result['seconds_per_round']:8.2f} s"
    share = f"{result['share_of_sequential_read']:.2f} of librdkafka's sequential read"
    yield f"  from log to model  {result['megabytes_per_second']:8.0f} MB/s, {share}"
    yield f"  from first upload  {result['megabytes_per_second_from_upload']:8.0f} MB/s"
    replayed = result["replay"]
    outcome = "bit-exact" if replayed["bit_exact"] else "NOT bit-exact"
    share = f"{replayed['share_of_aggregation']:.2f} of the way there"
    yield f"  replay             {replayed['megabytes_per_second']:8.0f} MB/s  {outcome}, {share}"
    yield from _memory(result)


def envelopes(result: Result, count: int) -> Iterator[str]:
    """Updates through validation."""
    yield f"{count} updates of {result['envelope_bytes']} bytes: {result['verdicts']}"
    share = f"{result['share_of_ed25519']:.2f} of one core's Ed25519 verifications"
    yield f"  validation         {result['envelopes_per_second']:8.0f} envelopes/s, {share}"
    yield from _memory(result)


def audit(result: Result, count: int) -> Iterator[str]:
    """Events through the sequencer."""
    yield f"{count} events"
    share = f"{result['share_of_sequential_read']:.3f} of librdkafka's sequential read of the events"
    yield f"  sequencer          {result['leaves_per_second']:8.0f} leaves/s, {share}"
    yield from _memory(result)


def recovery(result: Result, count: int, unanswered: int) -> Iterator[str]:
    """Starts from the log."""
    yield f"{count} verdicts, {unanswered} updates without a receipt, {result['leaves']} leaves"
    for name, key in (("an empty log", "from_nothing"), ("this log", "from_the_log")):
        one = result[key]
        yield (
            f"  {name:<14} running {one['running_seconds']:6.2f} s  verdict {one['first_verdict_seconds']:6.2f} s"
            f"  leaf {one['first_leaf_seconds']:6.2f} s"
        )
    for line in result["from_the_log"]["told"]:
        yield f"  {line}"
    yield f"  the log's share    {result['recovery_seconds']:8.2f} s"


def checkpoints(result: Result) -> Iterator[str]:
    """Checkpoints, round by round."""
    yield f"{result['participants']} participants, {result['target']} updates a round"
    for number, one in enumerate(result["rounds"], 1):
        if one["checkpoints"]:
            yield (
                f"  round {number:<4} {one['checkpoints']:4} checkpoints  {one['smallest_bytes'] / 1e3:8.0f} to "
                f"{one['largest_bytes'] / 1e3:8.0f} kB  median {one['median_ms']:5.0f} ms, "
                f"longest {one['longest_ms']:5.0f} ms"
            )
    yield from _memory(result)


def flood(result: Result) -> Iterator[str]:
    """Honest updates beside junk."""
    yield f"{result['per_second']} honest updates a second for {result['seconds']} s, three times"
    for phase, one in result.items():
        if not isinstance(one, dict) or "judged" not in one:
            continue
        latencies = f"p50 {one['p50_ms']:.0f} ms, p99 {one['p99_ms']:.0f} ms"
        yield f"  {phase:<8} {one['per_second']:8.1f} verdicts/s  {latencies}  {one['judged']} of {one['updates']}"
    for phase, junk in result["junk"].items():
        for name, sent in junk.items():
            yield f"  {phase:<8} {sent['records'] / result['seconds']:8.0f} records/s of junk by the {name}"


def scoring(result: Result) -> Iterator[str]:
    """Candidates on a canary set."""
    yield f"{result['candidates']} candidates of {result['parameters']} parameters, {result['examples']} examples"
    for device, rates in result["devices"].items():
        for way, rate in rates.items():
            yield f"  {device:<5} {way:<20} {rate:10.1f} candidates/s"


def inference(result: Result) -> Iterator[str]:
    """Requests to a released model."""
    for name, one in result.items():
        if isinstance(one, dict) and "answered_per_second" in one:
            p99 = f", p99 {one['p99_ms']:.1f}" if "p99_ms" in one else ""
            yield (
                f"  {name:<20} {one['answered_per_second']:8.0f} of {one['offered_per_second']:6.0f} examples/s   "
                f"p50 {one['p50_ms']:.1f}, p95 {one['p95_ms']:.1f}{p99} ms   {one['failed']} failed"
            )
    for name in ("ratio_single", "ratio_batches"):
        if name in result:
            yield f"  {name:<20} {result[name]:8.2f} times FastAPI and torch"
    if swaps := result.get("swaps"):
        yield (
            f"  swaps                {swaps['swaps']:8d}   {swaps['failed']} failed, {swaps['mixed']} answered by two, "
            f"p99 {swaps['before'].get('p99_ms', -1):.1f} ms before, {swaps['during'].get('p99_ms', -1):.1f} ms during"
        )
    yield from _memory(result)


def _memory(result: Result) -> Iterator[str]:
    for role, megabytes in result["peak_rss_mb"].items():
        yield f"  peak memory        {megabytes:8.0f} MB  {role}"
