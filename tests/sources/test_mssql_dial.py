"""Logging in to SQL Server, by the driver itself on a real socket: certificates, refusals, what a listener hears."""

import socket
import ssl
from collections.abc import Iterator

import pytest
import trustme
from cryptography import x509
from pytds.tds_base import tds7_crypt_pass  # type: ignore[import-untyped]

from connectors.errors import AccessDenied, ConfigurationError, ConnectorsError, SourceUnreachable
from connectors.secret import Secret
from connectors.sources._mssql.connection import connect
from connectors.sources._mssql.dial import Encryption, dialled, is_of_host
from connectors.sources._sql.address import Address
from tests.sources.tds_wire import NONE, OFF, ON, Gate, serving

PASSWORD = "so secret"
MANGLED = bytes(tds7_crypt_pass(PASSWORD))
REFUSED = (18456, "Login failed for user 'connectors'.")
AUTHORITY = trustme.CA()


def context(*names: str) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(found)
    return found


def pem(authority: trustme.CA = AUTHORITY) -> str:
    return authority.cert_pem.bytes().decode()


@pytest.fixture(params=[ON, OFF])
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    with serving(Gate(request.param, context("127.0.0.1", "localhost"))) as found:
        yield found


def address(gate: Gate, host: str = "127.0.0.1") -> Address:
    return Address(host, gate.port, "connectors", "shop")


async def refusal(gate: Gate, encryption: Encryption | None, host: str = "127.0.0.1") -> ConnectorsError:
    with pytest.raises(ConnectorsError) as caught:
        await connect(address(gate, host), Secret(PASSWORD), encryption, 5.0)
    assert PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("check_host", [True, False])
def test_a_server_that_proves_who_it_is_is_logged_in_to(host: str, check_host: bool) -> None:
    with serving(Gate(ON, context("127.0.0.1", "localhost"))) as gate:
        connection = dialled(address(gate, host), Secret(PASSWORD), Encryption(pem(), check_host), "ReadOnly")
        connection.close()
        [login] = gate.logins
        assert MANGLED in login
        assert MANGLED not in gate.heard
        assert login[26] & 0x20  # read-only intent, in the flags of types


def test_without_encryption_nobody_hears_the_password(gate: Gate) -> None:
    connection = dialled(address(gate), Secret(PASSWORD), None, "ReadWrite")
    connection.close()
    [login] = gate.logins
    assert MANGLED in login
    assert MANGLED not in gate.heard
    assert not login[26] & 0x20


@pytest.mark.parametrize("encryption", [None, Encryption(pem(), check_host=True)])
async def test_a_login_that_is_refused_says_so(encryption: Encryption | None) -> None:
    with serving(Gate(ON, context("127.0.0.1"), REFUSED)) as gate:
        found = await refusal(gate, encryption)
        assert isinstance(found, AccessDenied)
        assert len(gate.logins) == 1  # it is not tried again


async def test_a_certificate_of_another_host_is_not_trusted() -> None:
    with serving(Gate(ON, context("other.example.org"))) as gate:
        found = await refusal(gate, Encryption(pem(), check_host=True))
        assert isinstance(found, ConfigurationError)
        assert "is not trusted" in str(found)
        assert gate.logins == []
        dialled(address(gate), Secret(PASSWORD), Encryption(pem(), check_host=False), "ReadWrite").close()


@pytest.mark.parametrize("authority", [pem(trustme.CA()), None])
@pytest.mark.parametrize("check_host", [True, False])
async def test_a_certificate_of_nobody_who_is_trusted_is_refused(authority: str | None, check_host: bool) -> None:
    with serving(Gate(ON, context("127.0.0.1"))) as gate:
        found = await refusal(gate, Encryption(authority, check_host))
        assert "is not trusted" in str(found)
        assert gate.logins == []


@pytest.mark.parametrize("answer", [NONE, OFF])
async def test_a_server_without_encryption_is_told_apart(answer: int) -> None:
    with serving(Gate(answer, context("127.0.0.1"))) as gate:
        found = await refusal(gate, Encryption(pem(), check_host=True))
        assert isinstance(found, ConfigurationError)
        assert "has no encrypted connections" in str(found)
        assert gate.logins == []


async def test_what_is_no_certificate_is_one_of_the_settings() -> None:
    with serving(Gate(ON, context("127.0.0.1"))) as gate:
        found = await refusal(gate, Encryption("nonsense", check_host=True))
        assert isinstance(found, ConfigurationError)
        assert found.field == "ssl_ca"


async def test_nobody_who_listens_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SourceUnreachable, match="Connection refused"):
        await connect(Address("127.0.0.1", port, "connectors", "shop"), Secret(PASSWORD), None, 5.0)


@pytest.mark.parametrize(
    ("host", "names", "found"),
    [
        ("db.example.org", ["db.example.org"], True),
        ("DB.Example.org.", ["db.example.org"], True),
        ("db.example.org", ["*.example.org"], True),
        ("a.db.example.org", ["*.example.org"], False),
        ("example.org", ["*.example.org"], False),
        ("org", ["*.org"], False),
        ("db.example.org", ["example.org"], False),
        ("10.0.0.1", ["10.0.0.1"], True),
        ("10.0.0.2", ["10.0.0.1", "10.0.0.2.example.org"], False),
        ("::1", ["::1"], True),
    ],
)
def test_a_certificate_is_of_the_hosts_that_it_names(host: str, names: list[str], found: bool) -> None:
    chain = AUTHORITY.issue_cert(*names).cert_chain_pems[0].bytes()
    assert is_of_host(x509.load_pem_x509_certificate(chain), host) is found


def test_a_certificate_that_names_nobody_is_of_no_host() -> None:
    assert not is_of_host(x509.load_pem_x509_certificate(AUTHORITY.cert_pem.bytes()), "trustme CA")
