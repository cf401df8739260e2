"""Terms of rounds and manifests: one document beyond version 1, and one answer for every version."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.errors import DecodeError, Malformed, NonCanonical, SchemaUnknown
from fluvial.wire.framing import decode, encode, version_of
from fluvial.wire.records import ModelManifest, Round, RoundStatus, TensorLayout, WindowMode
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import ParticipationSpec, Terms, stated, terms_of, terms_text
from tests.unit.fluvial.wire.samples import sample
from tests.unit.fluvial.wire.test_task_file import MINIMAL

AT_LEAST_50 = '{"participation":{"min_examples":50}}'
LAYOUT = (TensorLayout(name="w", shape=(2, 3)),)
ROUND = replace(
    sample(Round),
    status=RoundStatus.OPEN,
    layout=LAYOUT,
    rule='{"name": "median"}',
    server_optimizer="",
    window=WindowMode.BUFFERED,
    staleness='{"name": "constant"}',
    training='{"epochs": 2}',
    terms="",
)
MANIFEST = replace(
    sample(ModelManifest),
    layout=LAYOUT,
    rule='{"name": "median"}',
    server_optimizer='{"name": "adam"}',
    staleness="",
    terms="",
)


def test_a_task_without_newer_sections_makes_records_of_version_1() -> None:
    task = TaskFile.model_validate({**MINIMAL, "participation": {"min_examples": 1}})
    assert terms_text(task) == ""
    assert version_of(encode(ROUND)).number == version_of(encode(MANIFEST)).number == 1
    assert terms_of(ROUND) == terms_of(MANIFEST) == Terms()


def test_a_section_travels_as_it_stands_in_the_task_file() -> None:
    task = TaskFile.model_validate({**MINIMAL, "participation": {"min_examples": 50}})
    assert terms_text(task) == AT_LEAST_50
    for record in (replace(ROUND, terms=AT_LEAST_50), replace(MANIFEST, terms=AT_LEAST_50)):
        assert version_of(encode(record)).number == 2
        assert decode(encode(record), type(record)) == record
        assert terms_of(record) == Terms(participation=ParticipationSpec(min_examples=50)) != Terms()


@given(least=st.integers(1, 1 << 40))
def test_terms_come_back_from_their_text(least: int) -> None:
    terms = Terms(participation=ParticipationSpec(min_examples=least))
    assert terms_of(replace(ROUND, terms=terms_text(terms))) == terms


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"participation":{"min_examples":50},"secrecy":{"noise":1}}', SchemaUnknown),
        ('{"participation":{"min_examples":50,"who":"all"}}', SchemaUnknown),
        ('{"participation":{"min_examples":"many"}}', SchemaUnknown),
        ('{"participation": {"min_examples": 50}}', NonCanonical),
        ('{"participation":{"min_examples":50.0}}', NonCanonical),
        ('{"participation":{"min_examples":1}}', NonCanonical),
        ('{"participation":{"min_examples":50},"participation":{"min_examples":50}}', NonCanonical),
        ("{}", NonCanonical),
        ("[]", Malformed),
        ("{", Malformed),
        ("[" * 100_000, Malformed),
    ],
)
def test_terms_in_another_form_or_of_a_newer_release_are_refused(text: str, error: type[DecodeError]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            terms_of(replace(ROUND, terms=text))


def test_the_refusal_of_newer_terms_says_what_to_do() -> None:
    with pytest.raises(SchemaUnknown, match=r"\(secrecy\): update fluvial"):
        terms_of(replace(ROUND, terms='{"secrecy":1}'))


def test_the_defaults_of_sections_are_those_that_records_were_written_with() -> None:
    """What a document leaves out has meant this since it was released: these lines are never edited, only added to."""
    assert Terms().model_dump() == {
        "participation": {"min_examples": 1},
        "held_out": {"metrics": [], "fraction": 0.2, "min_participants": 3},
        "approval": {"operators": 0, "operator_keys": {}},
    }


def test_a_round_of_any_version_states_all_its_terms() -> None:
    first = stated(ROUND)
    assert first["window"] == {
        "mode": "buffered",
        "grace_ms": ROUND.grace_ms,
        "max_staleness": ROUND.max_staleness,
        "staleness": {"name": "constant"},
    }
    assert first["rule"] == {"name": "median"}
    assert first["server_optimizer"] is None
    assert first["limits"]["max_weight"] == ROUND.max_weight
    assert stated(replace(ROUND, terms=AT_LEAST_50)) == {**first, "participation": {"min_examples": 50}}


def test_no_term_of_a_round_is_left_out() -> None:
    """Fields that say where a round stands are no terms; each of the others changes what is stated."""
    place = {"task", "round", "attempt", "status", "base_version", "base_digest", "base_chunks", "layout"}
    place |= {"layout_digest", "num_elements", "opened_ms", "deadline_ms", "optimizer_chunks", "seed"}
    other: dict[str, Any] = {
        "window": WindowMode.TUMBLING,
        "rule": "{}",
        "server_optimizer": "{}",
        "staleness": "{}",
        "training": "{}",
        "encodings": ("int8",),
        "agreement": "other",
        "partial": not ROUND.partial,
        "terms": AT_LEAST_50,
    }
    for name in set(ROUND.to_avro()) - place:
        changed = replace(ROUND, **{name: other.get(name, 7)})
        assert stated(changed) != stated(ROUND), name


def test_a_manifest_states_what_its_model_was_made_by() -> None:
    assert stated(replace(MANIFEST, terms=AT_LEAST_50)) == {
        "rule": {"name": "median"},
        "server_optimizer": {"name": "adam"},
        "partial": MANIFEST.partial,
        "chunk_elements": MANIFEST.chunk_elements,
        "limits": {"fraction_bits": MANIFEST.fraction_bits},
        "window": {"staleness": None},
        "participation": {"min_examples": 50},
    }


def test_fields_that_hold_no_json_are_malformed() -> None:
    for record in (replace(ROUND, training="{"), replace(MANIFEST, rule="{")):
        with pytest.raises(Malformed):
            stated(record)


def test_what_is_stated_is_plain_json() -> None:
    assert json.loads(json.dumps(stated(ROUND))) == stated(ROUND)
