"""What goes wrong on the way: each fault, on a real socket, is one clear error or a retry."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from connectors.engine import open_engine
from connectors.engine.faults import failure_of, retry_after_s
from connectors.errors import (
    ConfigurationError,
    Conflict,
    ConnectorsError,
    EngineBlocked,
    EngineDenied,
    EngineFailed,
    EngineOverloaded,
    EngineRefused,
    EngineUnreachable,
    EngineUntrusted,
    IndexMissing,
)
from connectors.secret import Secret
from connectors.settings import EngineSettings
from tests.engine.conftest import Impatient, Opened
from tests.engine.stub import Reply, Stub, answer, greeting, half, later, refusal, reset, silence

FOUND = answer(200, {"_index": "docs", "_id": "1", "found": False})


async def greet(clock: Impatient, url: str, **settings: object) -> None:
    async with open_engine(EngineSettings(host=url, **{"attempts": 2, **settings}), clock):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (reset(), EngineUnreachable, "The connection to http://127.0.0.1:"),
        (half(), EngineUnreachable, "broke off"),
        (answer(200, b'{"_index": "docs", "_id'), EngineUnreachable, "is not complete JSON"),
        (answer(200, b"\xff\xfe"), EngineUnreachable, "is not complete JSON"),
        (answer(200, {"surprise": 1}), EngineFailed, "unexpected answer: Object missing required field `_index`"),
        (refusal(500, "null_pointer_exception"), EngineFailed, "the reason (null_pointer_exception, status 500)"),
        (answer(502, b"<html>Bad Gateway</html>"), EngineFailed, "<html>Bad Gateway</html> (unknown, status 502)"),
        (refusal(503, "cluster_block_exception"), EngineFailed, "status 503"),
        (refusal(429, "es_rejected_execution_exception"), EngineOverloaded, "status 429"),
        (refusal(429, "cluster_block_exception"), EngineBlocked, "Free disk space"),
        (refusal(403, "cluster_block_exception"), EngineBlocked, "lift the block"),
    ],
)
class TestAFaultThatMayPass:
    async def test_is_tried_again(
        self, opened: Opened, clock: Impatient, fault: Reply, kind: type[ConnectorsError], text: str
    ) -> None:
        async with opened(fault, fault, FOUND) as (engine, stub):
            assert await engine.control.get("docs", "1") is None
            assert stub.asked == ["GET /docs/_doc/1"] * 3
            assert len(clock.pauses) == 2

    async def test_is_one_clear_error_when_it_does_not(
        self, opened: Opened, clock: Impatient, fault: Reply, kind: type[ConnectorsError], text: str
    ) -> None:
        async with opened(fault, fault, fault) as (engine, _):
            with pytest.raises(kind) as caught:
                await engine.control.get("docs", "1")
        assert type(caught.value) is kind
        assert text in str(caught.value)
        assert caught.value.__notes__ == ["Gave up after 3 attempts."]


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (refusal(401, "security_exception"), EngineDenied, "Check the API key"),
        (refusal(403, "security_exception", "action [x] is unauthorized"), EngineDenied, "action [x] is unauthorized"),
        (refusal(404, "index_not_found_exception"), IndexMissing, "status 404"),
        (refusal(409, "version_conflict_engine_exception"), Conflict, "status 409"),
        (refusal(400, "resource_already_exists_exception"), Conflict, "status 400"),
        (refusal(400, "parsing_exception"), EngineRefused, "the reason (parsing_exception, status 400)"),
        (answer(413, b"too large"), EngineRefused, "too large (unknown, status 413)"),
        (answer(404, {"error": "alias [x] missing", "status": 404}), EngineRefused, "alias [x] missing"),
    ],
)
async def test_a_fault_that_will_not_pass_is_raised_at_once(
    opened: Opened, fault: Reply, kind: type[ConnectorsError], text: str
) -> None:
    async with opened(fault) as (engine, stub):
        with pytest.raises(kind) as caught:
            await engine.control.get("docs", "1")
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert len(stub.asked) == 1


async def test_retry_after_is_the_least_we_wait(opened: Opened, clock: Impatient) -> None:
    busy = refusal(429, "es_rejected_execution_exception", headers={"retry-after": "7"})
    async with opened(busy, FOUND) as (engine, _):
        await engine.control.get("docs", "1")
    assert len(clock.pauses) == 1
    assert 7 <= clock.pauses[0] <= 7.25


async def test_of_nested_reasons_the_root_is_told(opened: Opened) -> None:
    outer = {"type": "search_phase_execution_exception", "reason": "all shards failed"}
    root = {"type": "query_shard_exception", "reason": "No mapping found for [n]"}
    async with opened(answer(400, {"error": {**outer, "root_cause": [root]}})) as (engine, _):
        with pytest.raises(EngineRefused, match=r"No mapping found for \[n\] \(query_shard_exception") as caught:
            await engine.control.get("docs", "1")
    assert caught.value.kind == "query_shard_exception"


async def test_a_missing_index_is_named(opened: Opened) -> None:
    async with opened(refusal(404, "index_not_found_exception")) as (engine, _):
        with pytest.raises(IndexMissing) as caught:
            await engine.control.get("docs", "1")
    assert caught.value.index == "docs"


async def test_an_engine_that_is_down_is_unreachable(clock: Impatient) -> None:
    async with Stub() as stub:
        url = stub.url
    with pytest.raises(EngineUnreachable) as caught:
        await greet(clock, url)
    assert str(caught.value) == (
        f"No connection to {url}: connection refused. Is the engine running, and is engine.host its address?"
    )
    assert caught.value.unsent
    assert len(clock.pauses) == 1


async def test_an_engine_whose_name_is_unknown_is_unreachable(clock: Impatient) -> None:
    with pytest.raises(EngineUnreachable, match=r"No connection to http://engine\.invalid:9200"):
        await greet(clock, "http://engine.invalid:9200")


async def test_an_engine_that_is_slow_is_given_up_after_the_time_limit(opened: Opened) -> None:
    async with opened(silence(), attempts=1, control_timeout_s=0.2) as (engine, _):
        with pytest.raises(EngineUnreachable, match=r"No answer from http://127\.0\.0\.1:\d+ within 0\.2 s\."):
            await engine.control.get("docs", "1")


async def test_an_engine_that_is_slow_once_is_asked_again(opened: Opened) -> None:
    async with opened(later(5, FOUND), FOUND, control_timeout_s=0.2) as (engine, _):
        assert await engine.control.get("docs", "1") is None


async def test_a_write_that_meets_its_own_first_attempt_says_so(opened: Opened) -> None:
    conflict = refusal(409, "version_conflict_engine_exception")
    async with opened(reset(), conflict, conflict) as (engine, _):
        with pytest.raises(Conflict) as repeated:
            await engine.control.create("docs", "1", {})
        with pytest.raises(Conflict) as first:
            await engine.control.create("docs", "1", {})
    assert (repeated.value.maybe_applied, first.value.maybe_applied) == (True, False)


async def test_a_write_that_was_never_sent_was_not_applied(opened: Opened) -> None:
    async with opened() as (engine, stub):
        await stub.close()
        with pytest.raises(EngineUnreachable) as caught:
            await engine.control.put("docs", "1", {})
    assert caught.value.unsent
    assert not caught.value.maybe_applied


async def test_a_write_whose_last_attempt_was_refused_may_still_have_been_applied(opened: Opened) -> None:
    busy = refusal(429, "es_rejected_execution_exception")
    async with opened(reset(), busy, busy) as (engine, _):
        with pytest.raises(EngineOverloaded) as caught:
            await engine.control.put("docs", "1", {})
    assert caught.value.maybe_applied


async def test_a_conflict_after_a_refusal_is_somebody_elses(opened: Opened) -> None:
    busy = refusal(429, "es_rejected_execution_exception")
    async with opened(busy, refusal(409, "version_conflict_engine_exception")) as (engine, _):
        with pytest.raises(Conflict) as caught:
            await engine.control.create("docs", "1", {})
    assert not caught.value.maybe_applied


async def test_a_bulk_request_is_never_repeated(opened: Opened) -> None:
    async with opened(reset()) as (engine, stub):
        with pytest.raises(EngineUnreachable):
            await engine.data.bulk("docs", b"{}\n", operations=1)
    assert len(stub.asked) == 1


async def test_no_request_is_repeated_behind_our_back(opened: Opened) -> None:
    """A reused connection that breaks is where an HTTP client likes to try again by itself."""
    async with opened(FOUND, reset(), FOUND, attempts=1) as (engine, stub):
        await engine.control.get("docs", "1")
        with pytest.raises(EngineUnreachable):
            await engine.control.put("docs", "1", {})
    assert stub.asked == ["GET /docs/_doc/1", "PUT /docs/_doc/1"]


async def test_a_redirect_is_not_followed(opened: Opened) -> None:
    async with opened(answer(301, b"", {"location": "http://127.0.0.1:1/"})) as (engine, _):
        with pytest.raises(EngineRefused, match="status 301"):
            await engine.control.put("docs", "1", {})


async def test_what_is_no_engine_is_refused(clock: Impatient) -> None:
    for reply in (answer(200, b"<html>It works!</html>", {"x-elastic-product": ""}), answer(200, {"version": 1})):
        async with Stub(reply) as stub:
            with pytest.raises(ConfigurationError, match="is no search engine that we know") as caught:
                await greet(clock, stub.url)
        assert caught.value.field == "engine.host"


async def test_a_wrong_key_is_refused_at_the_greeting(clock: Impatient) -> None:
    async with Stub(refusal(401, "security_exception", "unable to authenticate")) as stub:
        with pytest.raises(EngineDenied, match="unable to authenticate") as caught:
            await greet(clock, stub.url, api_key=Secret("wrong:key"))
    assert "Check the API key" in str(caught.value)
    assert "key" not in str(caught.value).replace("API key", "")


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def server(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        return context

    @pytest.fixture
    def ca(self, authority: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(path)
        return path

    async def test_a_certificate_of_a_known_authority_is_accepted(
        self, clock: Impatient, server: ssl.SSLContext, ca: Path
    ) -> None:
        async with Stub(greeting(), tls=server) as stub:
            await greet(clock, stub.url, ca_certs=ca)
        assert len(stub.requests) == 1

    async def test_a_certificate_of_an_unknown_authority_is_not(self, clock: Impatient, server: ssl.SSLContext) -> None:
        async with Stub(greeting(), tls=server) as stub:
            with pytest.raises(EngineUntrusted, match="is not trusted") as caught:
                await greet(clock, stub.url)
        assert "engine.ca_certs" in str(caught.value)
        assert clock.pauses == []

    async def test_a_certificate_for_another_name_is_not(
        self, clock: Impatient, authority: trustme.CA, ca: Path
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("elsewhere.example.org").configure_cert(context)
        async with Stub(greeting(), tls=context) as stub:
            with pytest.raises(EngineUntrusted, match="is not trusted"):
                await greet(clock, stub.url, ca_certs=ca)

    async def test_verification_can_be_switched_off(self, clock: Impatient, server: ssl.SSLContext) -> None:
        async with Stub(greeting(), tls=server) as stub:
            await greet(clock, stub.url, verify_certs=False)
        assert len(stub.requests) == 1

    async def test_https_to_a_plain_port_is_no_tls(self, clock: Impatient) -> None:
        async with Stub(greeting()) as stub:
            with pytest.raises(EngineUntrusted, match="No TLS connection"):
                await greet(clock, stub.url.replace("http:", "https:"))

    async def test_a_client_certificate_is_shown(
        self, clock: Impatient, authority: trustme.CA, server: ssl.SSLContext, ca: Path, tmp_path: Path
    ) -> None:
        server.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(server)
        ours = authority.issue_cert("client")
        ours.private_key_pem.write_to_path(tmp_path / "key.pem")
        ours.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        async with Stub(greeting(), tls=server) as stub:
            certificate = {"client_cert": tmp_path / "cert.pem", "client_key": tmp_path / "key.pem"}
            await greet(clock, stub.url, ca_certs=ca, **certificate)
        assert len(stub.requests) == 1

    async def test_without_the_client_certificate_that_is_asked_for_there_is_no_connection(
        self, clock: Impatient, authority: trustme.CA, server: ssl.SSLContext, ca: Path
    ) -> None:
        server.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(server)
        async with Stub(greeting(), tls=server) as stub:
            with pytest.raises((EngineUntrusted, EngineUnreachable)):
                await greet(clock, stub.url, ca_certs=ca)
        assert stub.requests == []

    @pytest.mark.parametrize("setting", ["ca_certs", "client_cert"])
    async def test_a_file_that_is_no_certificate_is_named(self, clock: Impatient, setting: str, tmp_path: Path) -> None:
        for path in (tmp_path / "missing.pem", tmp_path / "garbage.pem"):
            (tmp_path / "garbage.pem").write_text("garbage")
            with pytest.raises(ConfigurationError, match=f"{path.name} can't be used") as caught:
                await greet(clock, "https://localhost:9", **{setting: path})
            assert caught.value.field == f"engine.{setting}"


class TestRetryAfter:
    NOW = datetime(2026, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (None, None),
            ("", None),
            ("soon", None),
            ("nan", None),
            ("3", 3.0),
            ("0.5", 0.5),
            ("-1", 0.0),
            ("86400", 300.0),
            ("inf", 300.0),
            ("Thu, 01 Jan 2026 00:00:05 GMT", 5.0),
            ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ],
    )
    def test_seconds_and_dates_are_read(self, value: str | None, seconds: float | None) -> None:
        assert retry_after_s(value, self.NOW) == seconds


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b'{"error": {"type": "a", "reason": "b"}}', "a", "b"),
        (b'{"error": "no handler found"}', "unknown", "no handler found"),
        (b"", "unknown", None),
        (None, "unknown", "None"),
        (b"\xff plain", "unknown", "\ufffd plain"),
        (b"[1]", "unknown", "[1]"),
    ],
)
def test_a_reason_is_found_in_whatever_was_answered(body: object, kind: str, reason: str | None) -> None:
    failure = failure_of(body)
    assert (failure.type, failure.reason) == (kind, reason)


async def test_nothing_is_left_behind_by_a_failed_greeting(clock: Impatient) -> None:
    async with Stub(reset(), reset()) as stub:
        with pytest.raises(EngineUnreachable):
            await greet(clock, stub.url)
    assert asyncio.all_tasks() == {asyncio.current_task()}
