"""What sections of files that people write have in common."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from fluvial.wire.names import GIVEN_NAME_PATTERN

GivenName = Annotated[str, Field(pattern=GIVEN_NAME_PATTERN)]
"""Of a task, an agreement or a variant."""


class PlainValues(BaseModel):
    """A section whose numbers are finite numbers: true is not 1, nor false 0."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields.get(info.field_name or "")
        if isinstance(value, bool) and field is not None and _is_number(field.annotation):
            raise ValueError(f"must be a number, not {str(value).lower()}")
        return value


def _is_number(annotation: Any) -> bool:
    """Whether a field of this type takes numbers, and does not take truth values."""
    types = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return bool not in types and any(each in (int, float) for each in types)
