"""Letting participants and auditors connect to a secure stack, and taking that away again, as its operator."""

from __future__ import annotations

from pathlib import Path

from deploy.federation.directory import DataDirectory
from deploy.machine.errors import StackError
from deploy.security.access import Access
from deploy.security.rights import ADMIN
from fluvial.wire.names import check_participant


def grant_access(
    directory: DataDirectory,
    name: str,
    folder: Path,
    *,
    valid_days: float,
    auditor: bool = False,
    asks: bool = False,
    by_password: bool = False,
    request: bytes | None = None,
) -> str:
    """Let a participant connect, and write what it needs for that into a folder: a certificate, or a password.

    auditor: it is an auditor, who reads everything and writes nothing. asks: a participant that may also ask the
    released models. request: see `Credentials.hand_out_certificate`. Returns the principal. Raises StackError for a
    plain stack and a folder that is not empty, ValueError for what can be no name or is no request.
    """
    check_participant(name)
    if folder.exists() and any(folder.iterdir()):
        raise StackError(f"{folder} is not empty: name a new folder for the credentials")
    state, federation, credentials = directory.running(), directory.federation(), directory.credentials
    access = _access(directory)
    principal = access.grant_auditor(name) if auditor else access.grant_participant(name, asks=asks)
    if by_password:
        password = credentials.hand_out_password(federation, principal, folder, state.password_servers)
        access.set_password(principal, password)
    else:
        credentials.hand_out_certificate(federation, principal, folder, valid_days=valid_days, request=request)
    return principal


def revoke_access(directory: DataDirectory, name: str, *, auditor: bool = False) -> str:
    """Take the rights of a participant, or of an auditor, away, at once and for good.

    Raises StackError, and AccessError where there are none.
    """
    access = _access(directory)
    return access.revoke_auditor(name) if auditor else access.revoke_participant(name)


def principals_with_access(directory: DataDirectory) -> list[str]:
    """The principals of participants and auditors that may connect now. Raises StackError."""
    return _access(directory).admitted()


def _access(directory: DataDirectory) -> Access:
    directory.running()
    if not directory.credentials.exist:
        raise StackError(
            f"the stack in {directory.root} is plain: whoever reaches its broker may do everything there. "
            "`fluvial up --secure` starts it with certificates and rights"
        )
    return Access(directory.brokers(ADMIN), directory.federation().topics)
