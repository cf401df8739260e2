"""One handshake, against a server of the test's own that asks for certificates as the broker does."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.security.certificates import Authority
from fluvial.identity.brokers import Brokers, Security
from fluvial.kafka import TransportFailed
from fluvial.kafka.reachability import is_reached
from fluvial.wire.files import write_private

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: of the federation's authority, and of a stranger's."""
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority.load_or_make(folder), Authority.load_or_make(folder / "stranger")
    write_private(folder / "broker.pem", authority.issue("broker", valid=DAY, hosts=["127.0.0.1", "localhost"]))
    write_private(folder / "elsewhere.pem", authority.issue("broker", valid=DAY, hosts=["broker.example"]))
    write_private(folder / "clinic.pem", authority.issue("participant:clinic", valid=DAY))
    write_private(folder / "expired.pem", authority.issue("participant:clinic", valid=-DAY))
    write_private(folder / "stranger.pem", stranger.issue("participant:clinic", valid=DAY))
    return folder


Serve = Callable[[str | None], str]


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Starts a server that answers a request. certificate: of the server; None for no TLS."""
    with ExitStack() as open_sockets:

        def start(certificate: str | None) -> str:
            listener = open_sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=answer, args=(listener, certificate), daemon=True).start()
            return f"127.0.0.1:{listener.getsockname()[1]}"

        def answer(listener: socket.socket, certificate: str | None) -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # nobody came
            if certificate is None:
                open_sockets.enter_context(connection)
                connection.sendall(b"what?")
                return
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
            context.load_cert_chain(folder / certificate)
            context.verify_mode = ssl.CERT_REQUIRED
            # It stays open to the end of the test: what closing leaves unread would overtake what was sent.
            secured = open_sockets.enter_context(
                context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            )
            with suppress(OSError):
                secured.do_handshake()
                secured.recv(100)
                secured.sendall(b"\0\0\0\4\0\0\0\1")

        yield start


def brokers(address: str, folder: Path, certificate: str | None = "clinic.pem", ca: str = "ca.pem") -> Brokers:
    own = None if certificate is None else folder / certificate
    security = Security(protocol="SSL", ca_file=folder / ca, certificate_file=own, key_file=own)
    return Brokers(bootstrap_servers=address, security=security)


def test_who_has_a_certificate_is_let_in(serve: Serve, folder: Path) -> None:
    assert is_reached(brokers(serve("broker.pem"), folder))


def test_a_broker_that_is_away_is_no_refusal(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    assert not is_reached(brokers(address, folder))


def test_one_of_several_brokers_is_enough(serve: Serve, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = f"127.0.0.1:{taken.getsockname()[1]}"
    assert is_reached(brokers(f"{away},{serve('broker.pem')}", folder))


@pytest.mark.parametrize(
    ("certificate", "ca", "server", "said"),
    [
        (None, "ca.pem", "broker.pem", "wants a certificate"),
        ("stranger.pem", "ca.pem", "broker.pem", "refuses the certificate"),
        ("clinic.pem", "stranger/ca.pem", "broker.pem", "does not vouch for"),
        ("clinic.pem", "ca.pem", "elsewhere.pem", "does not vouch for"),
        ("clinic.pem", "ca.pem", None, "does not speak TLS"),
        ("expired.pem", "ca.pem", "broker.pem", "has expired on"),
        ("absent.pem", "ca.pem", "broker.pem", "cannot be used"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    serve: Serve, folder: Path, certificate: str | None, ca: str, server: str | None, said: str
) -> None:
    with pytest.raises(TransportFailed, match=said):
        is_reached(brokers(serve(server), folder, certificate, ca))
