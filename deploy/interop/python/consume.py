"""Reads a federation's audit log with no code of Fluvial's: prints every event, checks the hash chain and checkpoints.

    python consume.py FEDERATION.JSON FINGERPRINTS.JSON [COUNT]

It follows the log; with COUNT it ends once a checkpoint over so many leaves is verified. What is no record of the log
is told on standard error, and passed over; what contradicts the log ends it.
"""

import base64
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import fastavro
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from kafka import KafkaConsumer

federation = json.loads(Path(sys.argv[1]).read_text("utf-8-sig"))
schemas = json.loads(Path(sys.argv[2]).read_text())
count = int(sys.argv[3]) if len(sys.argv) > 3 else None
parsed = {mark: fastavro.parse_schema(entry["schema"]) for mark, entry in schemas.items()}


def decode(data: bytes) -> tuple[Any, Any]:
    """Avro single-object encoding: C3 01, the fingerprint of the schema that wrote it, binary data."""
    mark = data[2:10].hex()
    assert data[:2] == b"\xc3\x01", "no single-object header"
    assert mark in schemas, "no schema has this fingerprint"
    return schemas[mark], fastavro.schemaless_reader(io.BytesIO(data[10:]), parsed[mark], None)


def plain(entry: Any, record: Any) -> str:
    """The record's numbers, texts, enums and truth values, in the order of its schema."""
    names = [field["name"] for field in entry["schema"]["fields"]]
    return " ".join(
        f"{name}={json.dumps(record[name]) if isinstance(record[name], bool) else record[name]}"
        for name in names
        if isinstance(record[name], str | int)
    )


def root(hashes: list[bytes]) -> bytes:
    """Merkle tree hash (RFC 6962, 2.1) over the hashes of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()


def verified(note: bytes) -> tuple[int, bytes]:
    """Size and root of a checkpoint (C2SP tlog-checkpoint), its Ed25519 signature checked with the federation's key."""
    name, _, key = federation["log_key"].split("+", 2)
    text, signatures = note.decode().split("\n\n")
    signature = next(line.split()[2] for line in signatures.splitlines() if line.split()[1] == name)
    public_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    public_key.verify(base64.b64decode(signature)[4:], (text + "\n").encode())
    origin, size, checkpoint_root, *_ = text.splitlines()
    assert origin == name, "a checkpoint of another log"
    return int(size), base64.b64decode(checkpoint_root)


def pass_over(message: Any, why: object) -> None:
    """Anybody may write to a broker that asks nobody who he is."""
    print(f"{message.topic}@{message.offset} is passed over: {why}", file=sys.stderr, flush=True)


topic = federation["topic_prefix"] + "audit"
consumer = KafkaConsumer(
    topic,
    federation["topic_prefix"] + "checkpoints",
    bootstrap_servers=federation["bootstrap_servers"],
    group_id=None,
    auto_offset_reset="earliest",
    isolation_level="read_committed",
)
previous = bytes(32)
leaves: list[bytes] = []
checkpoints: list[tuple[int, bytes]] = []
for message in consumer:
    if message.topic == topic:
        try:
            entry, leaf = decode(message.value)
            assert entry["record"] == "SequencedEvent", "another record"
            number = leaf["sequence"]
        except Exception as error:  # whatever bytes of anybody's make of the decoder
            pass_over(message, f"no leaf: {error!r}")
            continue
        if number < len(leaves):
            pass_over(message, f"leaf {number} is there already")
            continue
        assert number == len(leaves), f"leaf {len(leaves)} has another number"
        assert leaf["previous_sha256"] == previous, f"leaf {len(leaves)} does not name the leaf before it"
        previous = hashlib.sha256(message.value).digest()
        leaves.append(hashlib.sha256(b"\0" + message.value).digest())
        event = leaf["event"]
        try:
            entry, record = decode(event["data"])
            told = f"{entry['version']} {plain(entry, record)}"
        except Exception as error:  # a newer release's, of which these schemas know nothing
            told = f"cannot be read: {error}"
        print(number, event["type"], event["subject"], told, flush=True)
    else:
        try:
            checkpoints.append(verified(message.value))
        except Exception as error:
            pass_over(message, f"no checkpoint of this log: {error!r}")
    for size, expected in [each for each in checkpoints if each[0] <= len(leaves)]:
        checkpoints.remove((size, expected))
        assert size == 0 or root(leaves[:size]) == expected, f"not the leaves of the checkpoint of {size}"
        print("checkpoint", size, expected.hex(), flush=True)
        if size == count:
            sys.exit()
