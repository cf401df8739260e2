"""The credentials of a stack: what its own processes and its operator use, and what participants are given.

`ca.pem`, `broker.pem`, `admin.pem` and one file for each role lie in one folder, which is its owner's alone. A
participant is given a folder of its own: `federation.json`, `ca.pem`, and `client.pem` or `password`.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.security.rights import ADMIN, BROKER, Role
from fluvial.identity.brokers import Security
from fluvial.identity.federation import Federation
from fluvial.wire.files import make_private_folder, write_private

OWN_ROLES = (Role.JOBS, Role.OPERATOR, Role.AUDITOR)
_PASSWORD_BYTES = 32
_CLIENT = Path("client.pem")
_KEY = Path("key.pem")
_AUTHORITY = Path("ca.pem")
_PASSWORD = Path("password")


class Credentials:
    """What lies in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exist(self) -> bool:
        """Whether this stack asks who one is; it then does so for ever."""
        return (self.folder / _AUTHORITY).exists()

    def prepare(self, hosts: tuple[str, ...]) -> None:
        """Make what is missing, and anew what expires in a while. hosts: by which the broker is reached."""
        from deploy.security.certificates import CERTIFICATE_DAYS, Authority, days_left  # late: a plain stack has none

        authority = Authority.load_or_make(self.folder)
        for principal in (BROKER, ADMIN, *OWN_ROLES):
            file = self.folder / f"{principal}.pem"
            if days_left(file, datetime.now(UTC)) < CERTIFICATE_DAYS / 3:
                named = hosts if principal == BROKER else ()
                valid = timedelta(days=CERTIFICATE_DAYS)
                write_private(file, authority.issue(principal, valid=valid, hosts=named))

    def security(self, principal: str) -> Security:
        """How `admin` or one of the stack's own roles reaches the broker."""
        own = self.folder / f"{principal}.pem"
        return Security(protocol="SSL", ca_file=self.folder / _AUTHORITY, certificate_file=own, key_file=own)

    def hand_out_certificate(
        self, federation: Federation, principal: str, folder: Path, *, valid_days: float, request: bytes | None = None
    ) -> None:
        """Write what a participant needs into a folder. request: a certificate request (PKCS #10) for a key of its own,
        which it then puts beside as `key.pem`; without one it is given a key. Raises ValueError for what is none."""
        from deploy.security.certificates import Authority

        authority, valid = Authority.load_or_make(self.folder), timedelta(days=valid_days)
        if request is None:
            certificate = authority.issue(principal, valid=valid)
        else:
            certificate = authority.sign(request, principal, valid=valid)
        make_private_folder(folder)
        write_private(folder / _CLIENT, certificate)
        security = Security(
            protocol="SSL", ca_file=_AUTHORITY, certificate_file=_CLIENT, key_file=_CLIENT if request is None else _KEY
        )
        self._hand_out(replace(federation, security=security), folder)

    def hand_out_password(self, federation: Federation, principal: str, folder: Path, password_servers: str) -> str:
        """The same with a password, which is returned: the broker is yet to be told. password_servers: where it is
        asked for."""
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        make_private_folder(folder)
        write_private(folder / _PASSWORD, password.encode())
        security = Security(
            protocol="SASL_SSL",
            ca_file=_AUTHORITY,
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=principal,
            sasl_password_file=_PASSWORD,
        )
        self._hand_out(replace(federation, security=security, bootstrap_servers=password_servers), folder)
        return password

    def _hand_out(self, federation: Federation, folder: Path) -> None:
        (folder / _AUTHORITY).write_bytes((self.folder / _AUTHORITY).read_bytes())
        federation.save(folder / "federation.json")
