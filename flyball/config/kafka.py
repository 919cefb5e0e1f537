# ruff: noqa: RUF009, TC001, TC003 -- `key` declares a field as `dataclasses.field` does; the types are read at run time
"""The keys of `log.kafka`: how brokers are spoken to that do not let everybody in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flyball.config.schema import Wrong, key
from flyball.config.secrets import Secret

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class Kafka:
    """How the brokers are spoken to. Their certificates are always verified, and the name in them too."""

    security: Security = key("PLAINTEXT", "the brokers' security protocol; with PLAINTEXT anybody may read and write")
    mechanism: Mechanism = key("PLAIN", "with SASL: how the password is shown")
    user: str | None = key(None, "with SASL: name to log in by")
    password: Secret | None = key(None, "with SASL: its password")
    ca: Path | None = key(None, "with SSL: certificates (PEM) to trust instead of the system's")
    certificate: Path | None = key(None, "with SSL: our own certificate (PEM), where brokers ask for one")
    certificate_key: Path | None = key(None, "with SSL: its key (PEM)")
    certificate_password: Secret | None = key(None, "with SSL: password of that key")

    def wrong(self) -> Iterator[Wrong]:
        """Yield what is missing, and what would be said to nobody: a password over a protocol that has none."""
        has_sasl, has_ssl = self.security.startswith("SASL"), self.security.endswith("SSL")
        for name, value in (("user", self.user), ("password", self.password)):
            if has_sasl and not value:
                yield Wrong(name, "nothing", f"it to be set, as security is {self.security}")
            if value and not has_sasl:
                yield Wrong(name, f"it with security {self.security}", "SASL_SSL or SASL_PLAINTEXT")
        for name in ("ca", "certificate", "certificate_key"):
            if getattr(self, name) and not has_ssl:
                yield Wrong(name, f"it with security {self.security}", "SSL or SASL_SSL")
        if (self.certificate is None) != (self.certificate_key is None):
            yield Wrong("certificate", "one of certificate and certificate_key", "both or none")

    def client(self) -> dict[str, str]:
        """Give it in librdkafka's words."""
        said = {
            "security.protocol": self.security,
            "sasl.mechanism": self.mechanism if self.user else None,
            "sasl.username": self.user,
            "sasl.password": self.password,
            "ssl.ca.location": self.ca,
            "ssl.certificate.location": self.certificate,
            "ssl.key.location": self.certificate_key,
            "ssl.key.password": self.certificate_password,
        }
        return {name: str(value) for name, value in said.items() if value is not None}
