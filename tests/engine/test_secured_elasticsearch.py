"""A real Elasticsearch with TLS and users: who is let in, and what the others are told."""

import base64
import json
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.engine import open_engine
from connectors.engine.flavor import Flavor
from connectors.errors import EngineDenied, EngineUntrusted
from connectors.secret import Secret
from connectors.settings import EngineSettings
from tests.engine.real import Node, node

pytestmark = [pytest.mark.real_engine("elasticsearch"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def secured() -> Iterator[Node]:
    with node("elasticsearch", ES_SECURITY="1") as one:
        yield one


def settings(secured: Node, **changed: Any) -> EngineSettings:
    password = Secret((secured.data / "password").read_text().strip())
    known = {"ca_certs": secured.data / "ca.crt", "username": "elastic", "password": password, "attempts": 2}
    return EngineSettings(host=secured.url, **{**known, **changed})


def make_key(secured: Node, body: object) -> dict[str, str]:
    """Ask the engine for an API key, as an administrator would."""
    known = settings(secured)
    assert known.password is not None
    login = base64.b64encode(f"elastic:{known.password.reveal()}".encode()).decode()
    request = urllib.request.Request(
        f"{secured.url}/_security/api_key",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Basic {login}", "content-type": "application/json"},
    )
    context = ssl.create_default_context(cafile=secured.data / "ca.crt")
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        made: dict[str, str] = json.load(answer)
    return made


async def test_a_user_is_let_in(secured: Node) -> None:
    async with open_engine(settings(secured)) as engine:
        assert engine.info.flavor is Flavor.ELASTICSEARCH
        assert await engine.indices.resolve("nothing-here") == []


async def test_a_wrong_password_is_not(secured: Node) -> None:
    with pytest.raises(EngineDenied, match="unable to authenticate user"):
        async with open_engine(settings(secured, password=Secret("wrong"))):
            pass


async def test_an_unknown_authority_is_not_trusted(secured: Node) -> None:
    with pytest.raises(EngineUntrusted, match="is not trusted"):
        async with open_engine(settings(secured, ca_certs=None)):
            pass


@pytest.mark.parametrize("form", ["id and key", "encoded"])
async def test_an_api_key_lets_in_and_grants_what_it_was_made_for(secured: Node, form: str) -> None:
    roles = {"docs": {"cluster": ["monitor"], "indices": [{"names": ["docs*"], "privileges": ["all"]}]}}
    made = make_key(secured, {"name": "docs", "role_descriptors": roles})
    key = made["encoded"] if form == "encoded" else f"{made['id']}:{made['api_key']}"
    known = settings(secured, username=None, password=None, api_key=Secret(key))
    async with open_engine(known) as engine:
        await engine.indices.create("docs-1")
        assert await engine.indices.stamp("docs-1") is not None
        await engine.indices.delete("docs-1")
        with pytest.raises(EngineDenied, match="is unauthorized for API key"):
            await engine.control.put("other", "1", {})


async def test_a_key_without_the_monitor_privilege_can_still_connect(secured: Node) -> None:
    roles = {"docs": {"indices": [{"names": ["docs*"], "privileges": ["all"]}]}}
    made = make_key(secured, {"name": "narrow", "role_descriptors": roles})
    known = settings(secured, username=None, password=None, api_key=Secret(made["encoded"]), flavor="elasticsearch")
    async with open_engine(known) as engine:
        await engine.control.put("docs-1", "1", {})
        assert await engine.indices.delete("docs-1")
