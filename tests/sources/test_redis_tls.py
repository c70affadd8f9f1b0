"""Encrypted connections to Redis, with real certificates."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from connectors.errors import ConfigurationError, ConnectorsError, SourceUnreachable
from connectors.fields import Configuration
from connectors.grants import Grants
from connectors.sources.redis import RedisDataSource
from fixtures.redis.server import MISSING, free_port, is_installed
from tests.sources.redis_servers import Store, filled_by_hand, read

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)


@dataclass
class Encrypted:
    """A server with a certificate, and whoever has issued it."""

    store: Store
    port: int
    authority: trustme.CA
    ours: Path
    """The folder of our own certificate, its key, and one with a password."""

    @property
    def ca(self) -> str:
        """The certificate of its authority, as a form has it."""
        return pem_of(self.authority).replace("\n", " ")

    def source(self, **given: object) -> RedisDataSource:
        """Return a source that connects with encryption."""
        return self.store.source(**{"port": self.port, "ssl_enabled": True, "retry_count": 0, **given})


def pem_of(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


@contextmanager
def encrypted(folder: Path, host: str, *, mutual: bool = False) -> Iterator[Encrypted]:
    authority, port = trustme.CA(), free_port()
    certificate, ours = authority.issue_cert(host), authority.issue_cert("connectors.example.org")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert"))
    certificate.private_key_pem.write_to_path(str(folder / "key"))
    authority.cert_pem.write_to_path(str(folder / "ca"))
    ours.cert_chain_pems[0].write_to_path(str(folder / "our-cert"))
    ours.private_key_pem.write_to_path(str(folder / "our-key"))
    files = (f"--tls-{name}-file {folder / short}" for name, short in (("cert", "cert"), ("key", "key")))
    words = [word for one in files for word in one.split(" ")]
    words += ["--tls-port", str(port), "--tls-ca-cert-file", str(folder / "ca")]
    with filled_by_hand(*words, "--tls-auth-clients", "yes" if mutual else "no") as store:
        store.client.set("k", "v")
        yield Encrypted(store, port, authority, folder)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Encrypted]:
    with encrypted(tmp_path, "127.0.0.1") as found:
        yield found


async def test_an_encrypted_connection_is_checked(one: Encrypted) -> None:
    assert (await read(one.source(ssl_ca=one.ca))).keys() == {"0/k"}
    for given in ({}, {"ssl_ca": pem_of(trustme.CA())}):
        async with one.source(**given) as source:
            with pytest.raises(ConfigurationError, match="is not trusted") as caught:
                await source.ping()
            assert caught.value.field == "ssl_ca"


async def test_the_name_of_the_host_is_checked_unless_it_need_not_be(tmp_path: Path) -> None:
    with encrypted(tmp_path, "redis.example.org") as one:
        async with one.source(ssl_ca=one.ca) as source:
            with pytest.raises(ConfigurationError, match="is not trusted"):
                await source.ping()
        async with one.source(ssl_ca=one.ca, ssl_check_host=False) as source:
            await source.ping()


async def test_who_encrypts_and_who_does_not_are_told_what_to_check(one: Encrypted) -> None:
    """Redis waits for the rest of what it does not understand, or hangs up."""
    plain = one.store.server.port
    for given in ({"port": plain, "ssl_ca": one.ca}, {"ssl_enabled": False}):
        async with one.source(**given) as source:
            with pytest.raises(SourceUnreachable, match=r"can't be reached.* which encryption it wants"):
                await source.ping()


async def test_a_server_that_answers_in_plain_words_is_told_so(one: Encrypted) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"-ERR unknown command\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, one.source(port=server.sockets[0].getsockname()[1], ssl_ca=one.ca) as source:
        with pytest.raises(ConfigurationError, match="has no encrypted connections") as caught:
            await source.ping()
    assert caught.value.field == "ssl_enabled"


async def test_a_server_that_wants_our_certificate_is_shown_it(tmp_path: Path) -> None:
    with encrypted(tmp_path, "127.0.0.1", mutual=True) as one:
        given: dict[str, Any] = {"ssl_ca": one.ca, "mutual_tls_enabled": True}
        files = {"tls_certfile": str(tmp_path / "our-cert"), "tls_keyfile": str(tmp_path / "our-key")}
        assert (await read(one.source(**given, **files))).keys() == {"0/k"}
        async with one.source(ssl_ca=one.ca) as source:
            with pytest.raises(ConnectorsError, match=r"wants a certificate of ours|which encryption it wants"):
                await source.ping()


@pytest.mark.parametrize(("cert", "key"), [("missing", "our-key"), ("our-cert", "ca"), ("our-cert", "key")])
async def test_files_that_are_no_certificate_are_a_wrong_setting(one: Encrypted, cert: str, key: str) -> None:
    files = {"tls_certfile": str(one.ours / cert), "tls_keyfile": str(one.ours / key)}
    async with one.source(ssl_ca=one.ca, mutual_tls_enabled=True, **files) as source:
        with pytest.raises(ConfigurationError, match="can't be used") as caught:
            await source.validate_config()
    assert caught.value.field == "tls_certfile"


async def test_a_key_with_a_password_asks_nobody_for_it(one: Encrypted) -> None:
    locked = one.ours / "locked"
    key = serialization.load_pem_private_key((one.ours / "our-key").read_bytes(), password=None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )
    files = {"tls_certfile": str(one.ours / "our-cert"), "tls_keyfile": str(locked)}
    async with one.source(ssl_ca=one.ca, mutual_tls_enabled=True, **files) as source:
        with pytest.raises(ConfigurationError, match="can't be used"):
            await source.validate_config()


def test_files_have_to_be_below_allowed_paths(tmp_path: Path) -> None:
    given = {
        "host": "h",
        "ssl_enabled": True,
        "mutual_tls_enabled": True,
        "tls_certfile": "/etc/x",
        "tls_keyfile": "/y",
    }
    configuration = Configuration(RedisDataSource.fields, given, Grants(allowed_paths=(tmp_path,)))
    assert {one.name for one in configuration.problems()} == {"tls_certfile", "tls_keyfile"}


@pytest.mark.parametrize("pem", ["nonsense", "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----"])
async def test_an_authority_that_is_no_certificate_is_a_wrong_setting(one: Encrypted, pem: str) -> None:
    async with one.source(ssl_ca=pem) as source:
        with pytest.raises(ConfigurationError, match="no certificate in PEM"):
            await source.validate_config()
