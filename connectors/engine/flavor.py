"""Flavor: which engine answers, told from its first answer, and how the flavors differ for us."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
from elastic_transport import AsyncTransport, HttpHeaders

from connectors.engine.faults import from_status, incomplete, unknown_product
from connectors.engine.node import PRODUCT, PRODUCT_HEADER
from connectors.errors import ConfigurationError

UNKNOWN: Final = "unknown"
OLDEST: Final = {"elasticsearch": (8, 0), "opensearch": (2, 4), "embedded": (8, 0)}
"""The oldest versions with all that we rely on: for OpenSearch points in time. The embedded one tells its model's."""


class Flavor(StrEnum):
    """A kind of engine."""

    ELASTICSEARCH = "elasticsearch"
    OPENSEARCH = "opensearch"
    EMBEDDED = "embedded"


@dataclass(frozen=True)
class EngineInfo:
    """Who answered."""

    flavor: Flavor
    version: str
    cluster: str
    where: str

    def __str__(self) -> str:
        if self.flavor is Flavor.EMBEDDED:
            return f"The embedded engine, at {self.where}"
        title = {"elasticsearch": "Elasticsearch", "opensearch": "OpenSearch"}[self.flavor]
        if self.version == UNKNOWN:
            return f"{title}, which may not tell these credentials its version, at {self.where}"
        return f"{title} {self.version}, cluster {self.cluster!r}, at {self.where}"


class _Version(msgspec.Struct, frozen=True):
    number: str
    distribution: Flavor = Flavor.ELASTICSEARCH


class _Greeting(msgspec.Struct, frozen=True):
    version: _Version
    cluster_name: str


class _Node(msgspec.Struct, frozen=True):
    version: str


class _Nodes(msgspec.Struct, frozen=True):
    cluster_name: str
    nodes: dict[str, _Node]


async def recognise(transport: AsyncTransport, where: str, stated: Flavor | None = None) -> EngineInfo:
    """Ask an engine who it is.

    Its greeting (`GET /`) tells. Where that is refused with 403 or 405, the product header of the refusal does,
    together with the version of the node that answered. `stated` comes before what the engine says of itself, and
    then one that says nothing will do. Raises `ConfigurationError` for what is no engine or too old, and an
    `EngineError` for what went wrong.
    """
    what = "ask the engine who it is"
    status, headers, body = await _ask(transport, "/")
    is_elastic = headers.get(PRODUCT_HEADER) == PRODUCT
    if status in {403, 405} and (stated or is_elastic):
        status, headers, body = await _ask(transport, "/_nodes/_local?filter_path=cluster_name,nodes.*.version")
        if status in {403, 405} and stated:
            return EngineInfo(stated, UNKNOWN, UNKNOWN, where)
        flavor = stated or Flavor.ELASTICSEARCH
        number, cluster = _from_nodes(status, headers, body, what, where)
    elif status in {403, 405}:
        raise ConfigurationError(
            f"The engine at {where} does not let these credentials ask who it is (status {status}).",
            field="engine.flavor",
            hint="Say what it is in engine.flavor, or give the credentials the monitor privilege.",
        )
    else:
        flavor, number, cluster = _from_greeting(status, headers, body, stated, what=what, where=where)
    _check_age(flavor, number, where)
    return EngineInfo(flavor, number, cluster, where)


async def _ask(transport: AsyncTransport, target: str) -> tuple[int, HttpHeaders, bytes]:
    answer = await transport.perform_request("GET", target, headers={"accept": "application/json"})
    return answer.meta.status, answer.meta.headers, bytes(answer.body or b"")


def _from_greeting(
    status: int, headers: HttpHeaders, body: bytes, stated: Flavor | None, *, what: str, where: str
) -> tuple[Flavor, str, str]:
    if status >= 300:
        raise from_status(status, headers.get("retry-after"), body, what, where)
    try:
        greeting = msgspec.json.decode(body, type=_Greeting)
    except msgspec.ValidationError as error:
        raise unknown_product(where) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise (incomplete(what, where) if body.lstrip().startswith(b"{") else unknown_product(where)) from error
    flavor = stated or greeting.version.distribution
    if stated is None and flavor is Flavor.ELASTICSEARCH and headers.get(PRODUCT_HEADER) != PRODUCT:
        raise unknown_product(where)
    return flavor, greeting.version.number, greeting.cluster_name


def _from_nodes(status: int, headers: HttpHeaders, body: bytes, what: str, where: str) -> tuple[str, str]:
    if status >= 300:
        raise from_status(status, headers.get("retry-after"), body, what, where)
    try:
        nodes = msgspec.json.decode(body, type=_Nodes)
        return next(iter(nodes.nodes.values())).version, nodes.cluster_name
    except (msgspec.DecodeError, UnicodeDecodeError, StopIteration) as error:
        raise incomplete(what, where) from error


def _check_age(flavor: Flavor, number: str, where: str) -> None:
    try:
        version = tuple(int(part) for part in number.split(".")[:2])
    except ValueError:
        version = ()
    if version < OLDEST[flavor]:
        oldest = ".".join(str(part) for part in OLDEST[flavor])
        raise ConfigurationError(
            f"{where} runs {flavor} {number}, which is too old.",
            field="engine.host",
            hint=f"The oldest that works is {oldest}.",
        )
