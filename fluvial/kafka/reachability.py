"""Whether the brokers take this client by TLS, and in words why not.

The client libraries answer a refused certificate like an absent broker: they try again until the caller's patience
ends, and say that no broker answered. So one handshake of Python's own comes first. After it one asks for the broker's
API versions, which it tells before anybody logs in: in TLS 1.3 (RFC 8446) a client learns only then that the broker did
not accept its certificate. Who has a password logs in with it, once.
"""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fluvial.identity.brokers import Brokers, Security
from fluvial.kafka.errors import TransportFailed
from fluvial.kafka.login import Refused, log_in, read_answer
from fluvial.wire.files import read_bytes

_SECONDS = 5.0
_SHORT_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 0.25
_API_VERSIONS = 18
_HELP = "ask the operator of the federation for new credentials"


def is_reached(brokers: Brokers) -> bool:
    """Whether one of the brokers takes this client; False when none can be reached. Raises TransportFailed."""
    context = _context(brokers.security)
    return any(_takes(address.strip(), context, brokers.security) for address in brokers.bootstrap_servers.split(","))


def nobody_listens(brokers: Brokers, seconds: float) -> str:
    """Why not one of the addresses has anybody that listens, asked again for `seconds` in case a broker is just
    starting; empty as soon as one has, or may have: a network that is slow, or loses what is sent, tells nothing.

    A machine that is there and has no broker refuses at once, which client libraries take for a reason to ask again
    until their patience of many seconds ends.
    """
    addresses = [address.strip() for address in brokers.bootstrap_servers.split(",")]
    deadline = time.monotonic() + seconds
    while True:
        refusals = [_refused(address) for address in addresses]
        if not all(refusals):
            return ""
        if time.monotonic() >= deadline:
            return "; ".join(dict.fromkeys(refusals))
        time.sleep(_ASK_AGAIN_SECONDS)


def _refused(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SHORT_SECONDS).close()
    except ConnectionRefusedError:
        return f"nobody listens at {address}"
    except socket.gaierror as error:
        return f"there is no machine {host} ({error.strerror})" if error.errno == socket.EAI_NONAME else ""
    except (OSError, ValueError):
        return ""
    return ""


def _context(security: Security) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
        if security.certificate_file is not None:
            _check_dates(security.certificate_file)
            context.load_cert_chain(security.certificate_file, security.key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(
            str(file) for file in (security.ca_file, security.certificate_file, security.key_file) if file is not None
        )
        raise TransportFailed(f"the certificates cannot be used ({error}); they are {files}") from error
    return context


def _check_dates(file: Path) -> None:
    from cryptography import x509  # late: who has no certificate starts 25 ms earlier

    certificate = x509.load_pem_x509_certificates(read_bytes(file))[0]
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        expired = certificate.not_valid_after_utc.date().isoformat()
        raise TransportFailed(f"the certificate in {file} has expired on {expired}: {_HELP}")
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc.date().isoformat()
        raise TransportFailed(f"the certificate in {file} is valid from {begins} on: is this machine's clock right?")


def _takes(address: str, context: ssl.SSLContext, security: Security) -> bool:
    host, _, port = address.rpartition(":")
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS)
    except (OSError, ValueError):
        return False
    with connection:
        try:
            with context.wrap_socket(connection, server_hostname=host.strip("[]")) as secured:
                secured.sendall(_request())
                read_answer(secured.recv)
                if security.protocol == "SASL_SSL" and security.sasl_mechanism != "OAUTHBEARER":
                    _log_in(_asking(secured), address, security)
        except ssl.SSLCertVerificationError as error:
            raise TransportFailed(
                f"the broker at {address} shows a certificate that {security.ca_file or 'this machine'} does not vouch "
                f"for: {error.verify_message}"
            ) from error
        except ssl.SSLEOFError:
            return False  # it is being stopped, or ends what it does not understand
        except ssl.SSLError as error:
            raise TransportFailed(_refusal(address, error.reason or str(error), security)) from error
        except (OSError, ValueError):  # it goes away, or says what no broker says
            return False
    return True


def _asking(connection: ssl.SSLSocket) -> Callable[[bytes], bytes]:
    def ask(request: bytes) -> bytes:
        connection.sendall(struct.pack(">i", len(request)) + request)
        return read_answer(connection.recv)

    return ask


def _log_in(ask: Callable[[bytes], bytes], address: str, security: Security) -> None:
    """Raises TransportFailed when the broker refuses, OSError, ValueError when it is no broker that answers."""
    try:
        password = security.sasl_password()
    except (OSError, ValueError) as error:
        raise TransportFailed(f"the password cannot be read: {error}") from error
    try:
        log_in(ask, security.sasl_mechanism or "", security.sasl_username or "", password)
    except Refused as error:
        raise TransportFailed(
            f"the broker at {address} does not take the password of {security.sasl_username} ({error}): {_HELP}"
        ) from error


def _refusal(address: str, reason: str, security: Security) -> str:
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return f"the broker at {address} does not speak TLS there: is security.protocol {security.protocol} right?"
    shown = reason.replace("_", " ").lower()
    if security.certificate_file is None:
        return f"the broker at {address} wants a certificate, and the federation file names none ({shown}): {_HELP}"
    return f"the broker at {address} refuses the certificate in {security.certificate_file} ({shown}): {_HELP}"


def _request() -> bytes:
    """ApiVersionsRequest of version 0: API key, version, correlation id, client id."""
    body = struct.pack(">hhih", _API_VERSIONS, 0, 1, len(b"fluvial")) + b"fluvial"
    return struct.pack(">i", len(body)) + body
