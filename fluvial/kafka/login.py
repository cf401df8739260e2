"""Logging in with a password, to learn whether the broker takes it: SCRAM (RFC 5802) in Kafka's requests.

The client libraries try a password that was refused again and again, or say that nobody answers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable

_HANDSHAKE, _AUTHENTICATE = 17, 36
_MOST_ITERATIONS = 1 << 20
_MOST_BYTES = 1 << 16

Ask = Callable[[bytes], bytes]
"""Sends a request, without its length, and returns the answer, without its length."""


class Refused(Exception):
    """The broker does not take the name and the password; the message is its own."""


def log_in(ask: Ask, mechanism: str, username: str, password: str) -> None:
    """mechanism: SCRAM-SHA-256 or SCRAM-SHA-512. Raises Refused, and ValueError for what is no answer, also for one of
    somebody who does not know the password."""
    try:
        _log_in(ask, mechanism, username, password)
    except (struct.error, KeyError) as error:
        raise ValueError(f"no answer of a broker: {error}") from error


def _log_in(ask: Ask, mechanism: str, username: str, password: str) -> None:
    code, offered = _handshake(ask, mechanism)
    if code:
        raise Refused(f"it takes {', '.join(offered) or 'no passwords'}, not {mechanism}")
    digest = mechanism.removeprefix("SCRAM-").replace("-", "").lower()
    nonce = secrets.token_urlsafe(24)
    first = f"n={username.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    challenge = _authenticate(ask, f"n,,{first}")
    fields = _fields(challenge)
    iterations = int(fields["i"])
    if not fields["r"].startswith(nonce) or not 0 < iterations <= _MOST_ITERATIONS:
        raise ValueError("no challenge of SCRAM")
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), b64decode(fields["s"]), iterations)
    final = f"c=biws,r={fields['r']}"
    exchanged = f"{first},{challenge},{final}".encode()
    client_key = hmac.digest(salted, b"Client Key", digest)
    signature = hmac.digest(hashlib.new(digest, client_key).digest(), exchanged, digest)
    proof = bytes(mine ^ other for mine, other in zip(client_key, signature, strict=True))
    answer = _fields(_authenticate(ask, f"{final},p={b64encode(proof).decode()}"))
    expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), exchanged, digest)
    if not hmac.compare_digest(b64decode(answer.get("v", "")), expected):
        raise ValueError("the broker does not know the password itself")


def read_answer(receive: Callable[[int], bytes]) -> bytes:
    """One answer of the broker, without its length. receive: at most so many bytes, none at the end. Raises ValueError
    for what is none."""
    (length,) = struct.unpack(">i", _exactly(receive, 4))
    if not 4 <= length <= _MOST_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    return _exactly(receive, length)


def _exactly(receive: Callable[[int], bytes], count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = receive(count - len(found))
        if not part:
            raise ValueError("the answer is cut short")
        found += part
    return found


def _handshake(ask: Ask, mechanism: str) -> tuple[int, list[str]]:
    """SaslHandshake, version 1: error code, and the mechanisms that the broker offers."""
    answer = ask(_request(_HANDSHAKE, 1, _string(mechanism)))
    code, count = struct.unpack_from(">hi", answer, 4)
    place, offered = 10, []
    for _ in range(count):
        text, place = _text(answer, place)
        offered.append(text)
    return code, offered


def _authenticate(ask: Ask, message: str) -> str:
    """SaslAuthenticate, version 0."""
    raw = message.encode()
    answer = ask(_request(_AUTHENTICATE, 0, struct.pack(">i", len(raw)) + raw))
    (code,) = struct.unpack_from(">h", answer, 4)
    why, place = _text(answer, 6)
    if code:
        raise Refused(why or f"error {code}")
    (length,) = struct.unpack_from(">i", answer, place)
    return answer[place + 4 : place + 4 + max(0, length)].decode()


def _request(key: int, version: int, body: bytes) -> bytes:
    """Header of version 1: API key, version, correlation id, client id."""
    return struct.pack(">hhi", key, version, 1) + _string("fluvial") + body


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _text(answer: bytes, place: int) -> tuple[str, int]:
    """A nullable string, and where the next field is."""
    (length,) = struct.unpack_from(">h", answer, place)
    end = place + 2 + max(0, length)
    return answer[place + 2 : end].decode(), end


def _fields(message: str) -> dict[str, str]:
    """Attributes of a message of SCRAM. Raises ValueError for another one."""
    pairs = [part.partition("=") for part in message.split(",")]
    found = {name: value for name, _, value in pairs}
    if not ({"r", "s", "i"} <= found.keys() or found.keys() & {"v", "e"}):
        raise ValueError("no message of SCRAM")
    return found
