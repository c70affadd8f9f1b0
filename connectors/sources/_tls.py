"""Encryption: the settings of a connection that is encrypted, and whom it trusts."""

import ssl
from typing import Final

from connectors.errors import ConfigurationError
from connectors.fields import Configuration, Field

ENABLED: Final = Field("ssl_enabled", "Encrypted connection", type=bool, default=False, shapes=False)
AUTHORITY: Final = Field(
    "ssl_ca",
    "Certificate of the authority",
    required=False,
    multiline=True,
    depends_on={"ssl_enabled": True},
    tooltip="In PEM. Without one, those that this machine trusts count.",
    shapes=False,
)
ENCRYPTION: Final = (
    ENABLED,
    AUTHORITY,
    Field(
        "ssl_check_host",
        "Check the name of the host",
        type=bool,
        default=True,
        depends_on={"ssl_enabled": True},
        tooltip="Whether the certificate has to be one of this host.",
        advanced=True,
        shapes=False,
    ),
)
"""The settings of a connection that is encrypted."""


def authority_of(given: Configuration) -> str | None:
    """Return the certificates of `ssl_ca` in PEM; None where those count that this machine trusts."""
    return pem_of(given.ssl_ca) if given.ssl_ca else None


def trusting(given: Configuration) -> ssl.SSLContext:
    """Return what trusts the authority that the settings name. Raises a `ConfigurationError`."""
    try:
        context = ssl.create_default_context(cadata=authority_of(given))
    except ssl.SSLError:
        raise ConfigurationError("It is no certificate in PEM.", field="ssl_ca") from None
    context.check_hostname = given.ssl_check_host
    return context


def pem_of(text: str) -> str:
    """Return certificates as they have to be: forms turn the ends of their lines into blanks."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    bodies = [part.partition(end)[0] for part in text.split(begin)[1:]]
    return "\n".join("\n".join([begin, *body.split(), end]) for body in bodies) + "\n"
