import base64
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from fluvial.identity.envelope import (
    MAX_SIGNATURES,
    MAX_SIGNATURES_BYTES,
    open_envelope,
    pre_authentication_encoding,
    seal,
    unseal,
    verify_envelope,
)
from fluvial.identity.keys import SigningKey
from fluvial.wire._generated.versions import VERSIONS
from fluvial.wire.errors import DecodeError, Malformed, SchemaUnknown, SignatureInvalid
from fluvial.wire.framing import HEADER_BYTES, MAGIC, encode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Envelope, ModelManifest, ModelUpdate, Receipt, Round, Signature, Task
from tests.unit.fluvial.wire.samples import sample, sample_of, schema_of
from tests.unit.fluvial.wire.slow_avro import long_, write

DSSE = json.loads((Path(__file__).resolve().parents[3] / "golden" / "dsse.json").read_text(encoding="utf-8"))
ANNA, BERT = SigningKey.from_seed(b"a" * 32), SigningKey.from_seed(b"b" * 32)
UPDATE = sample(ModelUpdate)
SEALED = seal(UPDATE, ANNA, "anna")


def test_the_encoding_that_is_signed_is_that_of_the_specification() -> None:
    signed = pre_authentication_encoding(DSSE["payload_type"], DSSE["payload"].encode())
    assert signed == DSSE["pre_authentication_encoding"].encode()
    assert SigningKey.from_seed(bytes.fromhex(DSSE["seed"])).sign(signed) == base64.b64decode(DSSE["signature"])


@pytest.mark.parametrize("number", [1, 2])
def test_a_signature_covers_the_payload_in_the_version_that_was_sent(number: int) -> None:
    """This library writes such a task in version 1; who signed it in another version is believed for that one."""
    task, version = sample_of(VERSIONS[Task][0]), VERSIONS[Task][number - 1]
    payload, kind = MAGIC + version.fingerprint + write(schema_of(version), task.to_avro()), media_type(Task)
    signature = Signature(keyid="anna", signature=ANNA.sign(pre_authentication_encoding(kind, payload)))
    sealed = encode(Envelope(payload_type=kind, payload=payload, signatures=(signature,)))
    assert (encode(task) == payload) == (number == 1)
    assert unseal(sealed, Task, ANNA.public_key) == task


def test_lengths_count_bytes_not_characters() -> None:
    assert pre_authentication_encoding("ä", "€".encode()) == b"DSSEv1 2 \xc3\xa4 3 \xe2\x82\xac"
    assert pre_authentication_encoding("", b"") == b"DSSEv1 0  0 "


def test_type_and_payload_cannot_be_divided_in_another_way() -> None:
    assert pre_authentication_encoding("a", b"b 1 c") != pre_authentication_encoding("a 1 b", b"c")


def test_an_envelope_of_the_vector_verifies() -> None:
    key = SigningKey.from_seed(bytes.fromhex(DSSE["seed"]))
    signature = Signature(keyid="any", signature=base64.b64decode(DSSE["signature"]))
    envelope = Envelope(payload_type=DSSE["payload_type"], payload=DSSE["payload"].encode(), signatures=(signature,))
    assert verify_envelope(envelope, key.public_key)
    assert not verify_envelope(envelope, ANNA.public_key)


@pytest.mark.parametrize("record", [sample(Round), sample(ModelManifest)], ids=["round", "manifest"])
def test_terms_that_are_not_known_make_a_record_unreadable(record: Round | ModelManifest) -> None:
    for terms, error in (("", None), ('{"secrecy":1}', SchemaUnknown), ("Round.terms", Malformed)):
        sealed = seal(replace(record, terms=terms), ANNA, "anna")
        if error is None:
            assert unseal(sealed, type(record), ANNA.public_key).terms == terms
        else:
            with pytest.raises(error):
                unseal(sealed, type(record), ANNA.public_key)


def test_a_sealed_record_is_unsealed_with_its_signers_key_alone() -> None:
    assert unseal(SEALED, ModelUpdate, ANNA.public_key) == UPDATE
    with pytest.raises(SignatureInvalid):
        unseal(SEALED, ModelUpdate, BERT.public_key)
    envelope = open_envelope(SEALED)
    assert envelope.payload_type == "application/vnd.fluvial.model-update.v1+avro"
    assert envelope.signatures[0].keyid == "anna"
    assert envelope.payload == encode(UPDATE)


def test_sealing_is_deterministic() -> None:
    assert seal(UPDATE, ANNA, "anna") == SEALED


def test_every_altered_byte_is_refused_unless_it_is_the_hint() -> None:
    hint = SEALED.index(b"anna", SEALED.index(encode(UPDATE)) + len(encode(UPDATE)))
    for position in range(len(SEALED)):
        altered = bytearray(SEALED)
        altered[position] ^= 1
        if hint <= position < hint + 4:
            assert unseal(bytes(altered), ModelUpdate, ANNA.public_key) == UPDATE
        else:
            with pytest.raises((DecodeError, SignatureInvalid)):
                unseal(bytes(altered), ModelUpdate, ANNA.public_key)


def test_the_signature_is_checked_before_the_payload_is_decoded() -> None:
    envelope = open_envelope(SEALED)
    broken = encode(replace(envelope, payload=b"no record at all"))
    with pytest.raises(SignatureInvalid):
        unseal(broken, ModelUpdate, ANNA.public_key)


def test_a_signed_payload_that_is_no_record_is_a_decode_error() -> None:
    media = open_envelope(SEALED).payload_type
    for payload, error in ((b"no record at all", Malformed), (encode(sample(Receipt)), SchemaUnknown)):
        signature = Signature(keyid="anna", signature=ANNA.sign(pre_authentication_encoding(media, payload)))
        with pytest.raises(error):
            unseal(
                encode(Envelope(payload_type=media, payload=payload, signatures=(signature,))),
                ModelUpdate,
                ANNA.public_key,
            )


def test_an_envelope_of_another_type_is_refused() -> None:
    with pytest.raises(Malformed, match="not of a Receipt"):
        unseal(SEALED, Receipt, ANNA.public_key)


def test_one_good_signature_among_others_is_enough() -> None:
    envelope = open_envelope(SEALED)
    foreign = Signature(keyid="anna", signature=bytes(64))
    assert verify_envelope(replace(envelope, signatures=(foreign, *envelope.signatures)), ANNA.public_key)
    assert not verify_envelope(replace(envelope, signatures=(foreign,)), ANNA.public_key)


@pytest.mark.parametrize("count", [0, MAX_SIGNATURES + 1])
def test_an_envelope_has_some_signatures_but_not_many(count: int) -> None:
    envelope = open_envelope(SEALED)
    with pytest.raises(Malformed, match=f"with {count} signatures"):
        open_envelope(encode(replace(envelope, signatures=envelope.signatures * count)))
    assert open_envelope(encode(replace(envelope, signatures=envelope.signatures * MAX_SIGNATURES)))


def test_a_flood_of_empty_signatures_is_refused_before_it_takes_memory() -> None:
    count = 1 << 19
    flood = SEALED[:HEADER_BYTES] + long_(0) + long_(0) + long_(count) + bytes(2 * count) + long_(0)
    tracemalloc.start()
    with pytest.raises(Malformed, match=f"more than {MAX_SIGNATURES_BYTES}"):
        open_envelope(flood)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_large_payload_is_no_flood() -> None:
    large = replace(UPDATE, inline=bytes(1 << 20))
    assert unseal(seal(large, ANNA, "anna"), ModelUpdate, ANNA.public_key) == large


def test_more_bytes_than_allowed_are_not_looked_at() -> None:
    assert open_envelope(SEALED, max_bytes=len(SEALED))
    with pytest.raises(Malformed, match="at most"):
        open_envelope(SEALED, max_bytes=len(SEALED) - 1)


@pytest.mark.parametrize("data", [b"", b"\xc3", b"\xc3\x01", SEALED[:HEADER_BYTES], SEALED[:-1], b"\xff" * 100])
def test_bytes_that_are_no_envelope_give_the_one_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        open_envelope(data)
