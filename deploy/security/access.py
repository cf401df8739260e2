"""Granting and taking away rights on a broker that has an authorizer.

A principal has what it was granted and nothing else. Taking rights away leaves a denial behind, so that a certificate
that still is valid never gets rights again: who is let in again has another principal, `participant:<name>/2`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from deploy.security.certificates import auditor_principal, participant_principal
from deploy.security.errors import AccessError
from deploy.security.rights import Resource, Right, Role, rights
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from fluvial.wire.topics import Topics

_SECONDS = 15.0
_SCRAM_ITERATIONS = 8192


class Access:
    """The access lists of a broker, seen by its administrator. Raises AccessError when the broker refuses."""

    def __init__(self, admin: Brokers, topics: Topics) -> None:
        self._topics = topics
        self._client = clients.admin(admin, "fluvial-access")

    def grant(self, principal: str, role: Role) -> None:
        """The principal's rights become those of the role, neither more nor fewer.

        Raises AccessError if it was denied.
        """
        if self.is_denied(principal):
            raise AccessError(f"the rights of {principal} were taken away for good")
        wanted = {_binding(principal, right) for right in rights(role, self._topics)}
        held = set(self._bindings(principal))
        self._wait(self._client.create_acls(sorted(wanted - held), request_timeout=_SECONDS) if wanted - held else {})
        self._delete(held - wanted)

    def grant_participant(self, name: str, *, asks: bool = False) -> str:
        """Let a participant in; returns the principal: the first one of its name that was not denied. asks: it may also
        ask the released models."""
        principal = self._current(participant_principal(name))
        self.grant(principal, Role.CALLER if asks else Role.PARTICIPANT)
        return principal

    def grant_auditor(self, name: str) -> str:
        """Let an auditor in, as `grant_participant`."""
        principal = self._current(auditor_principal(name))
        self.grant(principal, Role.AUDITOR)
        return principal

    def revoke_participant(self, name: str) -> str:
        """Take all rights away, for good and at once; returns the principal. Raises AccessError where it has none."""
        return self._revoke(participant_principal(name), name)

    def revoke_auditor(self, name: str) -> str:
        """As `revoke_participant`."""
        return self._revoke(auditor_principal(name), name)

    def admitted(self) -> list[str]:
        """Principals of participants and auditors that have rights now."""
        found = {binding.principal.removeprefix("User:") for binding in self._bindings(None)}
        named = {principal for principal in found if principal.startswith(("participant:", "auditor:"))}
        return sorted(principal for principal in named if not self.is_denied(principal))

    def is_denied(self, principal: str) -> bool:
        return _denial(principal) in self._bindings(principal)

    def set_password(self, principal: str, password: str) -> None:
        """The password with which a principal may log in by SCRAM-SHA-512 (RFC 5802)."""
        mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
        change = UserScramCredentialUpsertion(principal, mechanism, password.encode())
        self._wait(self._client.alter_user_scram_credentials([change], request_timeout=_SECONDS))

    def remove_password(self, principal: str) -> None:
        """Remove it; nothing happens where there is none."""
        change = UserScramCredentialDeletion(principal, ScramMechanism.SCRAM_SHA_512)
        try:
            self._wait(self._client.alter_user_scram_credentials([change], request_timeout=_SECONDS))
        except AccessError as error:
            cause = error.__cause__
            if not isinstance(cause, KafkaException) or cause.args[0].code() != KafkaError.RESOURCE_NOT_FOUND:
                raise

    def _revoke(self, first: str, name: str) -> str:
        principal = self._current(first)
        held = set(self._bindings(principal))
        if not held:
            raise AccessError(f"{name} has no access to this broker")
        # The denial first: between the two there is no moment without it.
        self._wait(self._client.create_acls([_denial(principal)], request_timeout=_SECONDS))
        self._delete(held)
        self.remove_password(principal)
        return principal

    def _current(self, first: str) -> str:
        principal, generation = first, 1
        while self.is_denied(principal):
            generation += 1
            principal = f"{first}/{generation}"
        return principal

    def _bindings(self, principal: str | None) -> list[AclBinding]:
        every = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            None if principal is None else f"User:{principal}",
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        try:
            found: list[AclBinding] = self._client.describe_acls(every, request_timeout=_SECONDS).result()
        except KafkaException as error:
            raise AccessError(f"the broker does not tell its access lists: {error.args[0].str()}") from error
        return found

    def _delete(self, bindings: Collection[AclBinding]) -> None:
        filters = [
            AclBindingFilter(
                found.restype,
                found.name,
                found.resource_pattern_type,
                found.principal,
                found.host,
                found.operation,
                found.permission_type,
            )
            for found in bindings
        ]
        if filters:
            self._wait(self._client.delete_acls(filters, request_timeout=_SECONDS))

    @staticmethod
    def _wait(futures: Any) -> None:
        for future in futures.values():
            try:
                future.result()
            except KafkaException as error:
                raise AccessError(f"the broker does not change its access lists: {error.args[0].str()}") from error


def _binding(principal: str, right: Right) -> AclBinding:
    return AclBinding(
        _RESOURCES[right.resource],
        right.name,
        ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
        f"User:{principal}",
        "*",
        AclOperation[right.operation],
        AclPermissionType.ALLOW,
    )


def _denial(principal: str) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        "*",
        ResourcePatternType.LITERAL,
        f"User:{principal}",
        "*",
        AclOperation.ALL,
        AclPermissionType.DENY,
    )


_RESOURCES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
