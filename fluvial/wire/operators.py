"""Operators of whom several must sign: by name, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fluvial.wire.names import FEDERATION_OPERATOR
from fluvial.wire.plain_values import GivenName

PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Operators(BaseModel):
    """Raises ValueError for more operators than have keys, and for two of one key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    operators: int = Field(default=0, ge=0, description="Operators that must sign; 0: the federation's is enough.")
    operator_keys: Mapping[GivenName, PublicKey] = Field(
        default={},
        description="Their Ed25519 public keys by name, in hexadecimal. Without any the federation's operator, under "
        "the name `operator`.",
    )

    @model_validator(mode="after")
    def _enough_operators(self) -> Operators:
        known = len(set(self.operator_keys.values())) or 1
        if len(set(self.operator_keys.values())) < len(self.operator_keys):
            raise ValueError("operator_keys: two operators have one key, which would sign for both")
        if self.operators > known:
            raise ValueError(f"operators: {self.operators} must sign, but only {known} can")
        return self

    def keys_of_operators(self, federation_operator: bytes) -> dict[str, bytes]:
        """Public keys of those who may sign, by name. federation_operator: the federation's own."""
        named = {name: bytes.fromhex(key) for name, key in self.operator_keys.items()}
        return named or {FEDERATION_OPERATOR: federation_operator}
