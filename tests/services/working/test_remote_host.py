"""The remote host: found in the settings of a connector, however it is written, and never in a secret."""

from typing import Any

import pytest

from connectors.engine.records import Revision
from connectors.services.working.remote_host import host_of
from connectors.store.job import SyncJob


def found(**configuration: Any) -> str | None:
    return host_of(SyncJob("j", {"connector": {"id": "c", "configuration": configuration}}, Revision(1, 1)))


@pytest.mark.parametrize(
    "value",
    [
        "db.example.org",
        "DB.Example.org.",
        " db.example.org:3306 ",
        "https://db.example.org",
        "HTTPS://db.example.org:443/path?query",
        "mongodb+srv://somebody:secret@db.example.org/?w=1",
        "mongodb://db.example.org:27017,second.example.org:27017",
        "db.example.org\\instance",
    ],
)
def test_a_host_is_the_same_however_it_is_written(value: str) -> None:
    assert found(host={"value": value, "sensitive": False}) == "db.example.org"
    assert found(host=value) == "db.example.org"


@pytest.mark.parametrize(
    "name", ["host", "url", "server", "hostname", "confluence_url", "server_ip", "host_url", "baseUrl", "httpEndpoint"]
)
def test_it_is_named_by_settings_that_say_where_a_source_is(name: str) -> None:
    assert found(**{name: {"value": "http://[2001:DB8::1]:80"}}) == "2001:db8::1"


@pytest.mark.parametrize("name", ["proxy_host", "redirect_uri", "ghost", "hosts_allowed", "port", "path", ""])
def test_other_settings_name_none(name: str) -> None:
    assert found(**{name: {"value": "db.example.org"}}) is None


@pytest.mark.parametrize("value", [None, "", " ", 5, ["a"], "/var/run/socket", "http://[oops", {}])
def test_what_is_no_host_is_none(value: object) -> None:
    assert found(host={"value": value}) is None
    assert found(host={"value": value}, url={"value": "http://b"}) == "b"


def test_of_several_the_one_that_says_it_best_counts() -> None:
    assert found(endpoint="c", api_url="http://b", host="a") == "a"
    assert found(z_url="http://z", a_url="http://a") == "a"


def test_a_secret_is_not_looked_into() -> None:
    assert found(host={"value": "db.example.org", "sensitive": True}) is None


def test_a_setting_counts_only_with_those_that_it_depends_on() -> None:
    depends = [{"field": "where", "value": "server"}]
    settings = {
        "cloud_url": {"value": "http://cloud", "depends_on": [{"field": "where", "value": "cloud"}]},
        "server_url": {"value": "http://server", "depends_on": depends},
    }
    assert found(where={"value": "server"}, **settings) == "server"
    assert found(where={"value": "cloud"}, **settings) == "cloud"
    assert found(where="elsewhere", **settings) is None
    assert found(**settings) is None
    assert found(host={"value": "a", "depends_on": [{"field": ["where"], "value": 1}, "where", None]}) is None


@pytest.mark.parametrize("document", [{}, {"connector": None}, {"connector": {"configuration": [1]}}])
def test_a_job_without_settings_has_none(document: dict[str, Any]) -> None:
    assert host_of(SyncJob("j", document, Revision(1, 1))) is None
