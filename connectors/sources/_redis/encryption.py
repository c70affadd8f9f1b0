"""Encryption: the settings of a connection that is encrypted, and whom it trusts."""

import ssl
from pathlib import Path
from typing import Final

from connectors.errors import ConfigurationError
from connectors.fields import Configuration, Field
from connectors.sources._tls import ENCRYPTION as ONE_SIDED
from connectors.sources._tls import trusting

_MUTUAL: Final = {"ssl_enabled": True, "mutual_tls_enabled": True}
ENCRYPTION: Final = (
    *ONE_SIDED,
    Field(
        "mutual_tls_enabled",
        "Certificate of our own",
        type=bool,
        default=False,
        depends_on={"ssl_enabled": True},
        tooltip="Whether the server wants to see one.",
        shapes=False,
    ),
    Field(
        "tls_certfile",
        "File of our certificate",
        type=Path,
        depends_on=_MUTUAL,
        tooltip="In PEM, below one of the allowed_paths of config.yml.",
        shapes=False,
    ),
    Field(
        "tls_keyfile",
        "File of its key",
        type=Path,
        depends_on=_MUTUAL,
        tooltip="In PEM, without a password, below one of the allowed_paths of config.yml.",
        shapes=False,
    ),
)


def trusted(given: Configuration) -> ssl.SSLContext | None:
    """Return whom a connection trusts, and who it says to be; None for one that is not encrypted.

    Reads files. Raises a `ConfigurationError`.
    """
    if not given.ssl_enabled:
        return None
    context = trusting(given)
    if given.mutual_tls_enabled:
        try:
            # Without a password of ours OpenSSL would ask for one at the terminal.
            context.load_cert_chain(given.tls_certfile, given.tls_keyfile, password="")
        except OSError as error:  # of OpenSSL too
            message = f"{given.tls_certfile} with the key {given.tls_keyfile} can't be used: {error.strerror or error}."
            raise ConfigurationError(message, field="tls_certfile", hint="Both have to be in PEM.") from None
    return context
