"""Letting participants connect to a secure stack, and taking that away again, as its operator."""

from __future__ import annotations

from pathlib import Path

from deploy.local.directory import DataDirectory
from deploy.local.errors import StackError
from deploy.security.access import Access
from deploy.security.rights import ADMIN
from fluvial.wire.names import check_participant


def grant_access(
    directory: DataDirectory,
    participant: str,
    folder: Path,
    *,
    valid_days: float,
    asks: bool = False,
    by_password: bool = False,
    request: bytes | None = None,
) -> str:
    """Let a participant connect, and write what it needs for that into a folder: a certificate, or a password.

    asks: it may also ask the released models. request: see `Credentials.hand_out_certificate`. Returns the principal.
    Raises StackError for a plain stack and a folder that is not empty, ValueError for what can be no participant's name
    or is no request.
    """
    check_participant(participant)
    if folder.exists() and any(folder.iterdir()):
        raise StackError(f"{folder} is not empty: name a new folder for the credentials")
    state, federation, credentials = directory.running(), directory.federation(), directory.credentials
    access = _access(directory)
    principal = access.grant_participant(participant, asks=asks)
    if by_password:
        password = credentials.hand_out_password(federation, principal, folder, state.password_servers)
        access.set_password(principal, password)
    else:
        credentials.hand_out_certificate(federation, principal, folder, valid_days=valid_days, request=request)
    return principal


def revoke_access(directory: DataDirectory, participant: str) -> str:
    """Take a participant's rights away, at once and for good. Raises StackError, and AccessError where it has none."""
    return _access(directory).revoke_participant(participant)


def principals_with_access(directory: DataDirectory) -> list[str]:
    """The principals of participants that may connect now. Raises StackError."""
    return _access(directory).participants()


def _access(directory: DataDirectory) -> Access:
    directory.running()
    if not directory.credentials.exist:
        raise StackError(
            f"the stack in {directory.root} is plain: whoever reaches its broker may do everything there. "
            "`fluvial up --secure` starts it with certificates and rights"
        )
    return Access(directory.brokers(ADMIN), directory.federation().topics)
