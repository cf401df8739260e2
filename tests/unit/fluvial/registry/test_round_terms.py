"""The terms of a round: what it states, and what it leaves to the task's file."""

from dataclasses import replace

from fluvial.registry.round_terms import UNSTATED, of_round
from fluvial.wire.task_file import TaskFile
from fluvial.wire.terms import stated, terms_text
from tests.unit.fluvial.auditor.world import TERMS, a_round

FILE = TaskFile.model_validate(TERMS)


def test_every_field_is_stated_by_a_round_or_named_as_one_that_is_not() -> None:
    sections = {"participation", "held_out", "approval"}
    said = set(stated(a_round(1))) | sections
    assert set(TaskFile.model_fields) - UNSTATED == said - {"agreement"}


def test_a_section_that_a_round_does_not_state_was_not_in_force_whatever_the_file_says_by_now() -> None:
    later = FILE.model_copy(update={"participation": FILE.participation.model_copy(update={"min_examples": 50})})
    assert of_round(later, a_round(1)).participation.min_examples == 1
    assert of_round(FILE, replace(a_round(1), terms=terms_text(later))).participation.min_examples == 50
