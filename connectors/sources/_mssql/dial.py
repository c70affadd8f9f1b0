"""Dialling: what the driver's own `connect` does, but once, and with certificates that are checked as they should be.

That one tries again for as long as it may, and then says no more than that time is up. It finds out whether a
certificate is one of the host by a part of pyOpenSSL that is gone. And where nothing is to be encrypted it sends the
password so that whoever listens can read it. So the parts below it are used.
"""

import ipaddress
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pytds  # type: ignore[import-untyped]
from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from pytds import lcid, tds_base
from pytds.row_strategies import tuple_row_strategy  # type: ignore[import-untyped]

from connectors.errors import ConfigurationError
from connectors.secret import Secret
from connectors.sources._sql.address import Address

CONNECT_WITHIN_S: Final = 10.0
_LANGUAGE: Final = "us_english"
"""Of what the server says: some of it is told apart by its words."""


@dataclass(frozen=True)
class Encryption:
    """How a server has to prove who it is: by a certificate of an authority, in PEM, or of one that is known here."""

    authority: str | None
    check_host: bool


def dialled(address: Address, password: Secret, encryption: Encryption | None, intent: str) -> Any:  # noqa: ANN401 - the driver's
    """Return a connection of the driver's, which commits by itself. It blocks until there is one.

    Where nothing is to be encrypted logging in is all the same, by whatever certificate the server has.
    """
    login = tds_base._TdsLogin()  # noqa: SLF001 - see above
    login.client_host_name = socket.gethostname()[:128]
    login.library = "python-tds"
    login.app_name = "connectors"
    login.user_name, login.password = address.user, password.reveal()
    login.database, login.port = address.database, address.port
    login.language = _LANGUAGE
    login.pid = os.getpid()
    login.option_flag2 = tds_base.TDS_ODBC_ON
    login.connect_timeout = CONNECT_WITHIN_S
    login.readonly = intent == "ReadOnly"
    login.bytes_to_unicode = True
    login.validate_host = False  # which is done by what is called for each certificate
    login.client_lcid = lcid.LANGID_ENGLISH_US
    login.tls_ctx = _context(encryption, login)
    login.enc_flag = tds_base.PreLoginEnc.ENCRYPT_ON if encryption else tds_base.PreLoginEnc.ENCRYPT_OFF
    return pytds._connect(  # noqa: SLF001 - see above
        login=login,
        host=address.host,
        port=address.port,
        instance="",
        timeout=CONNECT_WITHIN_S,
        pooling=False,
        key=(),  # of a pool, which there is none of
        autocommit=True,
        isolation_level=0,
        tzinfo_factory=None,
        sock=None,
        use_tz=None,
        row_strategy=tuple_row_strategy,
    )


def _context(encryption: Encryption | None, login: Any) -> SSL.Context:  # noqa: ANN401 - the driver's
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)  # the protocol has no place for what newer ones send later
    if encryption is None:
        context.set_verify(SSL.VERIFY_NONE)
        return context
    if encryption.authority is None:
        context.set_default_verify_paths()
    else:
        _trust(context, encryption.authority)

    def accept(_: SSL.Connection, certificate: X509, error: int, depth: int, passed: int) -> bool:
        del error
        if not passed or depth or not encryption.check_host:
            return bool(passed)
        # The host that is spoken to now: a server may have passed the connection on to a replica.
        return is_of_host(certificate.to_cryptography(), str(login.server_name))

    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, accept)
    return context


def _trust(context: SSL.Context, authority: str) -> None:
    store = context.get_cert_store()
    try:
        certificates = x509.load_pem_x509_certificates(authority.encode())
    except ValueError:
        raise ConfigurationError("It is no certificate in PEM.", field="ssl_ca") from None
    for one in certificates:
        if store is not None:
            store.add_cert(X509.from_cryptography(one))


def is_of_host(certificate: x509.Certificate, host: str) -> bool:
    """Return whether one of the names that a certificate is for is this host. Its subject is none of them."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _is_one_of(host.lower().rstrip("."), names.get_values_for_type(x509.DNSName))
    return address in names.get_values_for_type(x509.IPAddress)


def _is_one_of(host: str, names: Iterable[str]) -> bool:
    """Return whether a host is among names, the first part of which may be a star for any one part."""
    _, _, domain = host.partition(".")
    wanted = {host, f"*.{domain}"} if "." in domain else {host}
    return any(name.lower().rstrip(".") in wanted for name in names)
