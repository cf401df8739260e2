"""Terms that weaken a task, and whether enough operators have signed them. Pure.

A task's terms may name operators of whom several must sign what weakens it (`approval`). Their signatures stand in the
envelope of the task's record, beside that of the federation's operator, so that whoever has the record can check them:
registry, keeper, participants. They are asked under the terms before, so that nobody frees himself of them.

What weakens is decided by `WEAKENS`, field by field. A field that neither it nor `NEVER_WEAKENS` names weakens by any
change: two rules, agreements or packages have no order, and a field that is new is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fluvial.identity.envelope import open_envelope, pre_authentication_encoding, unseal, verify_envelope
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import open_registry_record
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.framing import encode
from fluvial.wire.records import Signature, Task

if TYPE_CHECKING:
    from fluvial.wire.task_file import TaskFile
    from fluvial.wire.terms import ApprovalSpec, HeldOutSpec


def _is_less(before: Any, after: Any) -> bool:
    return bool(after < before)


def _has_more(before: list[Any], after: list[Any]) -> bool:
    return not set(after) <= set(before)


def _tells_more(before: HeldOutSpec, after: HeldOutSpec) -> bool:
    return _has_more(before.metrics, after.metrics) or (
        bool(after.metrics) and after.min_participants < before.min_participants
    )


def _asks_fewer(before: ApprovalSpec, after: ApprovalSpec) -> bool:
    return after.operators < before.operators or (
        before.operators > 0 and dict(after.operator_keys) != dict(before.operator_keys)
    )


WEAKENS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "quorum": ("fewer updates make a model", _is_less),
    "target": ("fewer updates make a model", _is_less),
    "sampling": ("more are invited to a round", lambda before, after: after.invited_fraction > before.invited_fraction),
    "participation": ("less data is enough", lambda before, after: after.min_examples < before.min_examples),
    "encodings": ("an encoding is added", _has_more),
    "held_out": ("participants tell of more, or fewer of them are told of", _tells_more),
    "approval": ("fewer operators must sign, or others", _asks_fewer),
}
"""What weakens, by field of the task file: in words, and whether a value after another does."""

NEVER_WEAKENS = frozenset({"task", "title", "rounds", "deadline_seconds", "training", "loss"})
"""How long and how well participants train, and what it is called."""


def weakened(before: TaskFile, after: TaskFile) -> tuple[str, ...]:
    """The fields in which other terms are weaker than those before."""
    return tuple(
        name
        for name in type(before).model_fields
        if name not in NEVER_WEAKENS and _weakens(name, getattr(before, name), getattr(after, name))
    )


def _weakens(name: str, before: Any, after: Any) -> bool:
    if before == after:
        return False
    return WEAKENS[name][1](before, after) if name in WEAKENS else True


def why_not_approved(before: TaskFile, after: TaskFile, sealed: bytes) -> str:
    """Why other terms are not taken; empty where they weaken nothing, or enough operators have signed them. sealed: the
    envelope of the task's record."""
    needed = before.approval.operators
    fields = weakened(before, after) if needed else ()
    if not fields:
        return ""
    signed = signers(before.approval, sealed)
    if len(signed) >= needed:
        return ""
    names = ", ".join(sorted(before.approval.operator_keys))
    return f"terms that weaken {', '.join(fields)} need {needed} signatures, of {names}; there are {len(signed)}"


def signers(approval: ApprovalSpec, sealed: bytes) -> tuple[str, ...]:
    """Names of the operators whose signature an envelope bears."""
    try:
        envelope = open_envelope(sealed)
    except DecodeError:
        return ()
    keys = approval.operator_keys
    return tuple(name for name in sorted(keys) if verify_envelope(envelope, bytes.fromhex(keys[name])))


def open_proposal(sealed: bytes, federation: Federation) -> Task:
    """The task's record that the federation's operator has signed. Raises FluvialError for anything else."""
    operator_key, registrar_key = bytes.fromhex(federation.operator_key), bytes.fromhex(federation.registrar_key)
    task = unseal(sealed, Task, operator_key, federation.topics.scope)
    open_registry_record(f"task/{task.task}", sealed, operator_key, registrar_key, federation.topics.scope)
    return task


def approve(sealed: bytes, key: SigningKey, name: str) -> bytes:
    """The same record, signed by one more operator; as it is, where it has that signature. Raises DecodeError."""
    envelope = open_envelope(sealed)
    if verify_envelope(envelope, key.public_key):
        return sealed
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    signature = Signature(keyid=name, signature=key.sign(message))
    return encode(replace(envelope, signatures=(*envelope.signatures, signature)))


def check_approved(before: str, after: str, sealed: bytes) -> None:
    """Raises VerificationError for a task's record whose file is weaker than the one before, and not signed by enough.
    A file that cannot be read asks for nobody, and takes the place of none that does."""
    if before == after:
        return
    former = _read(before)
    if former is None or not former.approval.operators:
        return
    terms = _read(after)
    if why := "its file cannot be read" if terms is None else why_not_approved(former, terms, sealed):
        raise VerificationError(why)


@lru_cache(maxsize=256)
def _read(specification: str) -> TaskFile | None:
    from fluvial.wire.task_file import TaskFile  # late: it brings in numpy, and few tasks are registered twice

    try:
        return TaskFile.model_validate_json(specification)
    except ValueError:
        return None
