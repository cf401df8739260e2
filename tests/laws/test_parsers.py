"""Whatever bytes come, every parser gives a value or the error that it declares: nothing else is raised, and nothing
takes long. FLUVIAL_LAWS=soak, as `make soak` has it, tries eighty times as many examples.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from deploy.security.certificates import Authority
from fluvial.admission.case import Case
from fluvial.admission.decisions import QUARANTINED
from fluvial.admission.judgement import GatePolicy, Source
from fluvial.admission.manifest import check_manifest
from fluvial.admission.request import read_request
from fluvial.identity.brokers import Brokers, Security
from fluvial.identity.envelope import open_envelope, seal, unseal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey, is_acceptable, verify
from fluvial.registry.records import open_registry_record, registry_key
from fluvial.registry.view import VerifiedRegistry
from fluvial.transparency.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from fluvial.transparency.merkle import leaf_hash
from fluvial.transparency.note import NoteKey, open_note, split_note
from fluvial.transparency.proof import TlogProof, verify_proof
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.canonical_json import canonical_json
from fluvial.wire.document import read_document
from fluvial.wire.errors import FluvialError
from fluvial.wire.framing import decode, encode
from fluvial.wire.layout import chunk_length, layout_digest, num_chunks, num_elements
from fluvial.wire.records import (
    AuditEvent,
    Lease,
    ModelUpdate,
    Reason,
    Round,
    SequencedEvent,
    TensorLayout,
    Verdict,
)
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import stated, terms_of
from governance.audit.events import EventRefused, open_event, verdict_event
from pipelines.flink.bundles import parse_sources
from pipelines.flink.frames import SourceRecord, parse_source, source_frame
from pipelines.leases.table import LeaseTable
from tests.laws.effort import examples
from tests.laws.mutations import mutated
from tests.unit.fluvial.auditor.forgeries import request_of
from tests.unit.fluvial.auditor.world import a_participant, a_round, an_update
from tests.unit.fluvial.edge.world import SPECIFICATION
from tests.unit.fluvial.wire.samples import EVERY_VERSION, sample, sample_of

KEY = SigningKey.from_seed(b"k" * 32)
LOG = NoteKey(name="log.example/audit", public_key=KEY.public_key)
ROUND = a_round(1)
POLICY = GatePolicy(max_record_bytes=1 << 20, partitions=4)
SECONDS = 2.0
"""Far more than any of them takes, on a machine that is busy."""


@dataclass(frozen=True)
class Parser:
    """call: must return, or raise one of `errors`. genuine: what it takes."""

    name: str
    call: Callable[[bytes], Any]
    genuine: bytes
    errors: tuple[type[Exception], ...] = (FluvialError,)

    def try_with(self, data: bytes) -> None:
        started = time.thread_time()
        with suppress(*self.errors):
            self.call(data)
        assert time.thread_time() - started < SECONDS, f"{self.name} takes long"


def a_proof() -> bytes:
    tree = MerkleTree()
    for leaf in (b"0", b"1", b"2"):
        tree.append(leaf_hash(leaf))
    note = sign_checkpoint(Checkpoint(origin=LOG.name, size=3, root=tree.root()), KEY)
    return TlogProof(index=1, hashes=tree.inclusion_proof(1, 3), checkpoint=note).to_bytes()


def in_a_file(read: Callable[[Path], Any], suffix: str) -> Callable[[bytes], Any]:
    def call(data: bytes) -> Any:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(data)
            return read(path)

    return call


def a_case(data: bytes) -> Case:
    return Case.of(data, Source(topic="t", partition=0, offset=0, timestamp_ms=0, key=b"anna"), QUARANTINED)


def check_update(data: bytes) -> None:
    """The numbers of a signed update, whatever they are, against a round."""
    check_manifest(decode(data, ModelUpdate), ROUND, POLICY)


def read_layout(data: bytes) -> None:
    layout = decode(data, Round).layout
    layout_digest(layout)
    elements = num_elements(layout)
    if 0 < elements < 1 << 62:
        chunk_length(num_chunks(elements, 4) - 1, elements, 4)


def add_lease(data: bytes) -> None:
    LeaseTable(KEY.public_key).add(data, 0, 0)


def a_certificate_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "anna")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


with TemporaryDirectory() as _folder:
    AUTHORITY = Authority.load_or_make(Path(_folder))

FEDERATION = Federation(
    bootstrap_servers="localhost:9092",
    operator_key=KEY.public_key.hex(),
    registrar_key=KEY.public_key.hex(),
    aggregator_key=KEY.public_key.hex(),
    log_key=LOG.to_text(),
)
SECURED = replace(
    FEDERATION,
    security=Security(protocol="SSL", ca_file=Path("ca.pem"), certificate_file=Path("me"), key_file=Path("me")),
)
SETTINGS = TypeAdapter(Brokers)
"""As the settings of a job hold them."""
PARTICIPANT = a_participant("anna", KEY)
VERDICT = replace(sample(Verdict), reason=Reason.ACCEPTED)
CHECKPOINT = sign_checkpoint(Checkpoint(origin=LOG.name, size=1, root=bytes(range(32))), KEY)
TASK_FILE = json.dumps(SPECIFICATION).encode()
TASK_YAML = (
    b"task: heart\ntitle: t\nmodel: {architecture: linear, parameters: {inputs: 2}, seed: 1}\nrounds: 1\nquorum: 1\n"
)

PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)

PARSERS = (
    Parser("envelope", open_envelope, seal(VERDICT, KEY, "anna")),
    Parser("sealed round", lambda data: unseal(data, Round, KEY.public_key), seal(ROUND, KEY, "aggregator")),
    Parser(
        "registry",
        lambda data: open_registry_record(registry_key(PARTICIPANT), data, KEY.public_key, KEY.public_key),
        seal(PARTICIPANT, KEY, "operator"),
    ),
    Parser(
        "registry view",
        lambda data: VerifiedRegistry(KEY.public_key, KEY.public_key).apply("task/x", data),
        seal(PARTICIPANT, KEY, "operator"),
    ),
    Parser("enrolment request", lambda data: read_request(a_case(data)), request_of(KEY, "anna"), ()),
    Parser("manifest of an update", check_update, encode(an_update("anna", 1))),
    Parser("layout", read_layout, encode(ROUND), (FluvialError, ValueError)),
    Parser(
        "terms",
        lambda data: terms_of(replace(ROUND, terms=data.decode("utf-8", "replace"))),
        b'{"participation":{"min_examples":2}}',
    ),
    Parser(
        "stated terms", lambda data: stated(replace(ROUND, rule=data.decode("utf-8", "replace"))), b'{"name":"median"}'
    ),
    Parser("event", open_event, encode(verdict_event(VERDICT)), (EventRefused,)),
    Parser("leaf", lambda data: decode(data, SequencedEvent), encode(sample(SequencedEvent))),
    Parser("audit event", lambda data: decode(data, AuditEvent), encode(sample(AuditEvent))),
    Parser("note", split_note, CHECKPOINT),
    Parser("signed note", lambda data: open_note(data, [LOG]), CHECKPOINT),
    Parser("checkpoint", lambda data: open_checkpoint(data, LOG), CHECKPOINT),
    Parser("proof", TlogProof.parse, a_proof()),
    Parser("proof of a leaf", lambda data: verify_proof(data, b"1", LOG), a_proof()),
    Parser(
        "note key", lambda data: NoteKey.parse(data.decode("utf-8", "replace")), LOG.to_text().encode(), (ValueError,)
    ),
    Parser("public key", lambda data: (is_acceptable(data), verify(data, data, data)), KEY.public_key, ()),
    Parser("task file", in_a_file(TaskFile.read, ".json"), TASK_FILE, (ValueError,)),
    Parser("task file of YAML", in_a_file(TaskFile.read, ".yaml"), TASK_YAML, (ValueError,)),
    Parser("specification", TaskFile.model_validate_json, TASK_FILE, (ValueError,)),
    Parser("document", in_a_file(read_document, ".yaml"), b"a: [1, {b: &x 2}, *x]\n", (ValueError,)),
    Parser(
        "canonical JSON",
        lambda data: canonical_json(json.loads(data)),
        b'{"a":[1,2.5,"x"],"b":null}',
        (ValueError, RecursionError),
    ),
    Parser("federation.json", in_a_file(Federation.load, ".json"), FEDERATION.to_json().encode(), (ValueError,)),
    Parser("a secured one", in_a_file(Federation.load, ".json"), SECURED.to_json().encode(), (ValueError,)),
    Parser("settings of brokers", SETTINGS.validate_json, SETTINGS.dump_json(SECURED.brokers), (ValidationError,)),
    Parser(
        "private key",
        in_a_file(SigningKey.load, ".pem"),
        PRIVATE_KEY,
        (ValueError,),
    ),
    Parser("lease", add_lease, seal(sample(Lease), KEY, "operator"), ()),
    Parser("source frame", parse_source, source_frame(SourceRecord(1, 2, 3, b"key", b"value")), (ValueError,)),
    Parser("bundle", parse_sources, b"\x00\x00\x00\x05hello", (ValueError,)),
    Parser(
        "certificate request",
        lambda data: AUTHORITY.sign(data, "anna", valid=timedelta(days=1)),
        a_certificate_request(),
        (ValueError,),
    ),
)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@given(data=st.data())
@examples(25)
def test_a_parser_raises_what_it_declares(parser: Parser, data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        parser.try_with(data.draw(mutated(parser.genuine)))
    else:
        parser.try_with(data.draw(st.binary(max_size=300)))


@pytest.mark.parametrize("version", EVERY_VERSION, ids=str)
@examples(8)
@given(data=st.data())
def test_a_record_of_any_version_decodes_or_is_refused(version: Any, data: st.DataObject) -> None:
    """And what decodes, encodes to the same bytes, in whatever version."""
    genuine = encode(sample_of(version))
    bent = data.draw(mutated(genuine))
    try:
        record = decode(bent, version.record)
    except FluvialError:
        return
    again = encode(record)
    assert decode(again, version.record) == record or record != record


@given(st.lists(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4), max_size=4))
def test_layouts_of_any_numbers_are_counted_or_refused(shapes: list[list[int]]) -> None:
    layout = tuple(TensorLayout(name=str(index), shape=tuple(shape)) for index, shape in enumerate(shapes))
    with suppress(ValueError):
        assert num_elements(layout) >= 0
