"""The login of RFC 7677's example, in Kafka's requests."""

import struct
from collections.abc import Callable
from io import BytesIO

import pytest

from fluvial.kafka import login
from fluvial.kafka.login import Refused, log_in, read_answer

NONCE = "rOprNGfwEbeRWgbNEkqO"
CHALLENGE = f"r={NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
ACCEPTED = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.fixture(autouse=True)
def the_nonce_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login.secrets, "token_urlsafe", lambda _: NONCE)


def string(text: str | None) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


def offers(*mechanisms: str, code: int = 0) -> bytes:
    return struct.pack(">ihi", 1, code, len(mechanisms)) + b"".join(map(string, mechanisms))


def says(message: str, code: int = 0, why: str | None = None) -> bytes:
    return struct.pack(">ih", 1, code) + string(why) + struct.pack(">i", len(message)) + message.encode()


class Broker:
    """Gives one answer after the other, and keeps what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    def __call__(self, request: bytes) -> bytes:
        self.asked.append(request)
        return self.answers.pop(0)


def log_in_at(broker: Callable[[bytes], bytes], password: str = "pencil", user: str = "user") -> None:
    log_in(broker, "SCRAM-SHA-256", user, password)


def test_the_example_of_the_standard() -> None:
    broker = Broker(offers("SCRAM-SHA-256"), says(CHALLENGE), says(ACCEPTED))
    log_in_at(broker)
    assert [request[:4] for request in broker.asked] == [b"\0\x11\0\1", b"\0\x24\0\0", b"\0\x24\0\0"]
    assert broker.asked[1].endswith(b"n,,n=user,r=" + NONCE.encode())
    assert broker.asked[2].endswith(PROOF)


def test_a_name_does_not_end_early() -> None:
    broker = Broker(offers(), says(CHALLENGE), says(ACCEPTED))
    with pytest.raises(ValueError, match="does not know the password"):
        log_in_at(broker, user="a=b,c")
    assert b"n,,n=a=3Db=2Cc,r=" in broker.asked[1]


def test_a_refusal_is_the_brokers_own() -> None:
    with pytest.raises(Refused, match="invalid credentials"):
        log_in_at(Broker(offers(), says(CHALLENGE), says("", 58, "invalid credentials")), password="wrong")
    with pytest.raises(Refused, match="error 58"):
        log_in_at(Broker(offers(), says("", 58)))
    with pytest.raises(Refused, match="it takes SCRAM-SHA-512, not SCRAM-SHA-256"):
        log_in_at(Broker(offers("SCRAM-SHA-512", code=33)))


@pytest.mark.parametrize(
    "answers",
    [
        [says(CHALLENGE.replace(NONCE, "another")), says(ACCEPTED)],
        [says(CHALLENGE.replace("4096", "999999999")), says(ACCEPTED)],
        [says(CHALLENGE.replace("4096", "many")), says(ACCEPTED)],
        [says("hello"), says(ACCEPTED)],
        [says(CHALLENGE), says("v=AAAA")],
        [says(CHALLENGE), says("e=other-error")],
    ],
)
def test_who_does_not_know_the_password_is_not_believed(answers: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"SCRAM|literal|does not know the password"):
        log_in_at(Broker(offers(), *answers))


@pytest.mark.parametrize("answers", [[b"\0\0\0\1"], [offers(), b"\0\0\0\1\0"], [offers(), says("v=AAAA")]])
def test_what_no_broker_says_is_told_as_such(answers: list[bytes]) -> None:
    with pytest.raises(ValueError, match="no answer of a broker"):
        log_in_at(Broker(*answers))


@pytest.mark.parametrize("raw", [b"", b"\0\0", b"\0\0\0\x05abcd", b"\x7f\0\0\0abcd", b"\xff\xff\xff\xff", b"\0\0\0\1a"])
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|an answer of"):
        read_answer(BytesIO(raw).read)


def test_an_answer_may_come_in_pieces() -> None:
    stream = BytesIO(b"\0\0\0\x05abcdefgh")
    assert read_answer(lambda count: stream.read(min(2, count))) == b"abcde"
