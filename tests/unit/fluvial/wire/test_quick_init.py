"""Frozen dataclasses whose slots are written directly."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from fluvial.wire import records
from fluvial.wire.quick_init import quick_init

RECORDS = [one for one in vars(records).values() if isinstance(one, type) and hasattr(one, "to_avro")]


@dataclass(frozen=True, slots=True)
class Plain:
    """A pair."""

    first: int
    second: tuple[int, ...] = (1, 2)
    third: str = field(default="c", kw_only=True)


@quick_init
@dataclass(frozen=True, slots=True)
class Quick:
    """A pair."""

    first: int
    second: tuple[int, ...] = (1, 2)
    third: str = field(default="c", kw_only=True)


def test_it_takes_the_parameters_that_the_dataclass_took() -> None:
    plain, quick = inspect.signature(Plain), inspect.signature(Quick)
    assert [(one.name, one.kind, one.default) for one in plain.parameters.values()] == [
        (one.name, one.kind, one.default) for one in quick.parameters.values()
    ]
    assert (Quick(1).second, Quick(1, (3,)).second, Quick(1, third="d").third) == ((1, 2), (3,), "d")


@pytest.mark.parametrize("arguments", [{}, {"first": 1, "fourth": 4}])
def test_what_the_dataclass_refused_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Plain(**arguments)
    with pytest.raises(TypeError):
        Quick(**arguments)


def test_it_stays_a_frozen_value() -> None:
    quick = Quick(1, third="d")
    with pytest.raises(FrozenInstanceError):
        quick.first = 2  # type: ignore[misc]  # that is what is tested
    assert quick == Quick(1, third="d") != Quick(2, third="d")
    assert hash(quick) == hash(Quick(1, third="d"))
    assert replace(quick, first=2) == Quick(2, third="d")
    assert pickle.loads(pickle.dumps(quick)) == copy.deepcopy(quick) == quick


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_each_record_of_the_contract_holds_what_it_is_given(record: Any) -> None:
    given = {member.name: object() for member in fields(record)}
    made = record(**given)
    assert all(getattr(made, name) is value for name, value in given.items())
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(record)[0].name, 1)


def test_a_class_that_does_more_when_it_is_made_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        first: int

        def __post_init__(self) -> None:
            raise ValueError

    @dataclass(frozen=True, slots=True)
    class Made:
        first: list[int] = field(default_factory=list)

    @dataclass(frozen=True)
    class Slotless:
        first: int

    for kind in (Checked, Made, Slotless):
        with pytest.raises(TypeError):
            quick_init(kind)


@quick_init
@dataclass(frozen=True, slots=True)
class Many:
    """As many fields as a record has."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = 6


class Same(Many):
    """The same slots."""

    __slots__ = ()


@pytest.mark.parametrize("kind", [Many, Same])
def test_with_many_fields_it_is_a_frozen_value_of_its_own_class(kind: type[Many]) -> None:
    many = kind(1, 2, 3, d=4, e=5)
    assert type(many) is kind
    assert [getattr(many, name) for name in "abcdef"] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(FrozenInstanceError):
        many.a = 2  # type: ignore[misc]  # that is what is tested
    assert pickle.loads(pickle.dumps(many)) == copy.copy(many) == many
    with pytest.raises(TypeError):
        kind(1, 2, 3, 4)  # type: ignore[call-arg]  # that is what is tested
