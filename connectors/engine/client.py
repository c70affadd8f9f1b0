"""The client: the client library, set up from the settings so that it only sends and receives."""

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import msgspec
from elastic_transport import HttpHeaders, NdjsonSerializer, Serializer
from elastic_transport.client_utils import url_to_node_config
from elasticsearch import AsyncElasticsearch

from connectors.engine.node import HttpNode, basic_auth
from connectors.errors import ConfigurationError
from connectors.settings import EngineSettings


class _AsBytes(Serializer):
    """Encodes bodies fast, and leaves answers as they came: each call decodes its own, typed."""

    mimetype: ClassVar[str] = "application/json"
    _encoder: Final = msgspec.json.Encoder()

    def dumps(self, data: object) -> bytes:
        return data if isinstance(data, bytes) else self._encoder.encode(data)

    def loads(self, data: bytes) -> bytes:
        return data


class _LinesAsBytes(_AsBytes):
    """The same for newline-delimited JSON, whose bodies are ready when they get here."""

    mimetype: ClassVar[str] = NdjsonSerializer.mimetype


_SERIALIZERS: Final[Mapping[str, Serializer]] = {
    "application/json": _AsBytes(),
    "application/x-ndjson": _LinesAsBytes(),
    "application/*": _AsBytes(),
    "text/*": _AsBytes(),
}


def client_of(
    settings: EngineSettings, host: str, node_class: type[HttpNode], *, connections: int, timeout_s: float
) -> AsyncElasticsearch:
    """Return a client with a pool of its own; it never retries and never decodes, both of which a lane does."""
    node = url_to_node_config(host, use_default_ports_for_scheme=True)
    return AsyncElasticsearch(
        [node.replace(request_timeout=timeout_s, headers=_authorization(settings))],
        node_class=node_class,
        ssl_context=tls_context(settings) if host.startswith("https:") else None,
        connections_per_node=connections,
        serializers=dict(_SERIALIZERS),
        max_retries=0,
        meta_header=False,
    )


def _authorization(settings: EngineSettings) -> HttpHeaders:
    """Return the header that lets us in; on the node, so that every request carries it, the greeting too."""
    login = basic_auth(settings.username, settings.password)
    if settings.api_key:
        key = settings.api_key.reveal()
        login = f"ApiKey {base64.b64encode(key.encode()).decode() if ':' in key else key}"
    return HttpHeaders({"authorization": login} if login else {})


def tls_context(settings: EngineSettings) -> ssl.SSLContext:
    """Return what TLS connections are made with. Raises `ConfigurationError`."""
    context = _trusting(settings)
    if not settings.verify_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_cert is not None:
        try:
            context.load_cert_chain(settings.client_cert, settings.client_key)
        except (OSError, ssl.SSLError) as error:
            raise _unusable("client_cert", settings.client_cert, error) from error
    return context


def _trusting(settings: EngineSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_certs)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("ca_certs", settings.ca_certs, error) from error


def _unusable(name: str, path: Path | None, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"The file {path} can't be used: {error}.", field=f"engine.{name}", hint="It has to be readable, in PEM form."
    )
