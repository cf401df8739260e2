"""Who floods, for `fluvial bench flood`: a process that sends junk as fast as the broker takes it.

A participant signs updates of its own that no round can take (another base model, another time in each); a stranger
sends envelopes under names that nobody has. Both send a stock of records again and again, so that making them costs the
measurement nothing. In, a line for each flood: the topic. Out, a line of JSON at the end of each: records and bytes
that were acknowledged.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from deploy.bench.load import an_update
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Transport, connect
from fluvial.wire.framing import decode
from fluvial.wire.records import Round

STOCK = 2_000
_OUTSTANDING = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--federation", type=Path, required=True)
    parser.add_argument("--round", type=Path, required=True, help="the record of a round that is open")
    parser.add_argument("--key", type=Path, help="of the participant that floods; a stranger has none")
    parser.add_argument("--name", default="stranger")
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    federation = Federation.load(arguments.federation)
    round_ = decode(arguments.round.read_bytes(), Round)
    key = SigningKey.load(arguments.key) if arguments.key else None
    stock = list(junk(round_, arguments.name, key, federation.topics.scope))
    transport = connect(federation.brokers, f"flood-{arguments.name}")
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(flood(transport, line.strip(), stock, arguments.seconds)), flush=True)
    transport.close()


def flood(transport: Transport, topic: str, stock: Sequence[tuple[str, bytes]], seconds: float) -> dict[str, int]:
    """Send the stock again and again for that long. Returns what was acknowledged."""
    sent: deque[tuple[Future[Position], int]] = deque()
    num_records = num_bytes = 0
    end = time.monotonic() + seconds
    for name, raw in cycle(stock):
        if time.monotonic() >= end:
            break
        sent.append((transport.produce(topic, raw, key=name.encode()), len(raw)))
        if len(sent) >= _OUTSTANDING:
            done, length = sent.popleft()
            done.result(60)
            num_records, num_bytes = num_records + 1, num_bytes + length
    for done, length in sent:
        done.result(60)
        num_records, num_bytes = num_records + 1, num_bytes + length
    return {"records": num_records, "bytes": num_bytes}


def junk(round_: Round, name: str, key: SigningKey | None, scope: str = "") -> Iterator[tuple[str, bytes]]:
    """(Kafka key, record). scope: `Topics.scope`."""
    own = key or SigningKey.generate()
    for number in range(STOCK):
        claimed = name if key else f"{name}-{number}"
        update = an_update(round_, claimed, bytes(256))
        yield claimed, seal(replace(update, base_digest=bytes(32), created_ms=number), own, claimed, scope)


if __name__ == "__main__":
    main()
