"""Where the brokers are and how to reach them: one value, and the settings that each of the three clients makes of it.

It names files that hold secrets and holds none itself, so it may stand in a file, cross to a cluster and be logged. The
files are read where a client is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from fluvial.wire.files import read_text

_JAVA_PACKAGE = "org.apache.kafka"
_FILES = ("ca_file", "certificate_file", "key_file", "sasl_password_file")
_FORMS = {"sasl_username": r'[^"\\\n]+', "oauth_token_url": r"https?://[^\s\"]+", "oauth_scope": r'[^"\\\n]+'}
"""Of texts that become part of a line of Java's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How the brokers are reached. Files are PEM; the password's file holds the password alone.

    OAUTHBEARER (RFC 7628): sasl_username is the client's id and the file holds its secret; for them oauth_token_url
    gives tokens (client credentials, RFC 6749, section 4.4). librdkafka and Java take it, kafka-python does not.

    SSL with certificate_file and key_file is mutual TLS. One file may hold both (the key as
    PKCS #8); Java asks for that.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None
    oauth_token_url: str | None = None
    oauth_scope: str | None = None

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # where a job's settings hold one

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for name, form in _FORMS.items():
            value = getattr(self, name)
            if value is not None and re.fullmatch(form, value) is None:
                raise ValueError(f"security.{name} has not the form {form}: {value!r:.80}")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("security.certificate_file and security.key_file go together")
        if self.protocol == "SASL_SSL":
            for name in ("sasl_mechanism", "sasl_username", "sasl_password_file"):
                if getattr(self, name) is None:
                    raise ValueError(f"security.protocol SASL_SSL needs security.{name}")
        if (self.sasl_mechanism == "OAUTHBEARER") != (self.oauth_token_url is not None):
            raise ValueError("security.sasl_mechanism OAUTHBEARER and security.oauth_token_url go together")

    def relative_to(self, folder: Path) -> Security:
        """The same with files that are named relatively taken from a folder."""
        files = {name: getattr(self, name) for name in _FILES}
        return replace(self, **{name: folder / file for name, file in files.items() if file is not None})

    def within(self, folder: Path) -> Security:
        """The same with files in a folder named relatively to it, the inverse of `relative_to`.

        Raises ValueError for a file that lies elsewhere.
        """
        files = {name: getattr(self, name) for name in _FILES}
        changes = {name: file.relative_to(folder) for name, file in files.items() if file is not None}
        return replace(self, **changes)

    def sasl_password(self) -> str:
        """The password in the file that is named. Raises ValueError when none is, OSError when it cannot be read."""
        if self.sasl_password_file is None:
            raise ValueError("security.sasl_password_file is needed for SASL")
        return read_text(self.sasl_password_file).strip()


PLAIN = Security()
"""Whoever reaches the brokers may do everything there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokers:
    """The brokers of a federation. bootstrap_servers: host:port, several separated by commas."""

    bootstrap_servers: str
    security: Security = PLAIN

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __str__(self) -> str:
        return self.bootstrap_servers

    def librdkafka(self, client_id: str = "fluvial") -> dict[str, Any]:
        """Settings of every client of confluent-kafka. client_id: name that the broker's logs show.

        Raises OSError when a password's file cannot be read.
        """
        security = self.security
        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": client_id,
            "security.protocol": security.protocol,
            "allow.auto.create.topics": False,
            # librdkafka pauses half of the first value between connections, also where none has failed: each client's
            # second, to the broker that it has just heard of, waited for 50 ms.
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 1000,
            # Calls report what concerns them; a broker that is away would otherwise be a hundred lines a second.
            "log_level": 2,
        }
        if security.protocol != "PLAINTEXT":
            settings |= {
                "ssl.ca.location": _text(security.ca_file),
                "ssl.certificate.location": _text(security.certificate_file),
                "ssl.key.location": _text(security.key_file),
            }
        if security.protocol == "SASL_SSL" and security.sasl_mechanism == "OAUTHBEARER":
            settings |= {
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": security.sasl_username,
                "sasl.oauthbearer.client.secret": security.sasl_password(),
                "sasl.oauthbearer.token.endpoint.url": security.oauth_token_url,
                "sasl.oauthbearer.scope": security.oauth_scope,
            }
        elif security.protocol == "SASL_SSL":
            settings |= {
                "sasl.mechanism": security.sasl_mechanism,
                "sasl.username": security.sasl_username,
                "sasl.password": security.sasl_password(),
            }
        return _without_none(settings)

    def kafka_python(self, client_id: str = "fluvial") -> dict[str, Any]:
        """Settings of every client of kafka-python. client_id: name that the broker's logs show.

        Raises OSError when a password's file cannot be read, ValueError for OAUTHBEARER.
        """
        security = self.security
        if security.sasl_mechanism == "OAUTHBEARER":
            raise ValueError("kafka-python cannot log in by OAUTHBEARER: install confluent-kafka, or use a certificate")
        settings: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "client_id": client_id,
            "security_protocol": security.protocol,
            "allow_auto_create_topics": False,
            "reconnect_backoff_max_ms": 1000,
            "metrics_enabled": False,
        }
        if security.protocol != "PLAINTEXT":
            settings |= {
                "ssl_cafile": _text(security.ca_file),
                "ssl_certfile": _text(security.certificate_file),
                "ssl_keyfile": _text(security.key_file),
            }
        if security.protocol == "SASL_SSL":
            settings |= {
                "sasl_mechanism": security.sasl_mechanism,
                "sasl_plain_username": security.sasl_username,
                "sasl_plain_password": security.sasl_password(),
            }
        return _without_none(settings)

    def java(self, package: str = _JAVA_PACKAGE) -> dict[str, str]:
        """Properties of every Java client. package: where its classes lie; Flink's connector brings them under another.

        They become part of a job's graph, so the password is not among them: the client reads its file, which for Java
        holds no line break. Raises ValueError when certificate and key lie in different files: Java reads one.
        For OAUTHBEARER the JVM wants `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=` with the URL of tokens.
        """
        security = self.security
        settings: dict[str, str | None] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": security.protocol,
        }
        if security.protocol != "PLAINTEXT" and security.ca_file is not None:
            settings |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(security.ca_file)}
        if security.protocol != "PLAINTEXT" and security.key_file is not None:
            if security.certificate_file != security.key_file:
                raise ValueError(
                    "Java reads certificate and key from one PEM file: join them, and name it as both certificate_file "
                    "and key_file"
                )
            settings |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(security.key_file)}
        if security.protocol == "SASL_SSL":
            file = security.sasl_password_file
            assert file is not None  # Security sees to it
            provider = f"{package}.common.config.provider.DirectoryConfigProvider"
            password, user = f"${{secrets:{file.parent}:{file.name}}}", security.sasl_username
            settings |= {
                "config.providers": "secrets",
                "config.providers.secrets.class": provider,
                "sasl.mechanism": security.sasl_mechanism,
            }
            if security.sasl_mechanism == "OAUTHBEARER":
                oauth = f"{package}.common.security.oauthbearer"
                scope = "" if security.oauth_scope is None else f' scope="{security.oauth_scope}"'
                login = f'{oauth}.OAuthBearerLoginModule required clientId="{user}" clientSecret="{password}"{scope};'
                settings |= {
                    "sasl.jaas.config": login,
                    "sasl.login.callback.handler.class": f"{oauth}.OAuthBearerLoginCallbackHandler",
                    "sasl.oauthbearer.token.endpoint.url": security.oauth_token_url,
                }
            else:
                login = f"{package}.common.security.scram.ScramLoginModule"
                settings["sasl.jaas.config"] = f'{login} required username="{user}" password="{password}";'
        return _without_none(settings)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _without_none(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
