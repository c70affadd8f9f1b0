"""What the errors of Redis mean, and what to do about them."""

from collections.abc import Mapping
from typing import Final

from redis import exceptions

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.sources._redis.command import Address

_WAIT_S: Final = 5.0
"""How long a server that loads its data, or is busy, is left alone."""
_USERS: Final = "Check username and password."
_READS: Final = "docs/redis.md says what the user has to be allowed."
_WAITS: Final = {
    "LOADING": "it loads its data",
    "BUSY": "a script runs",
    "OOM": "it has no memory left",
    "TRYAGAIN": "keys are on their way elsewhere",
    "MASTERDOWN": "it is a replica that has lost its primary, and may not show what it has",
}
"""The first words of errors that pass."""
_CLUSTER: Final = ("MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN")


def explained(error: BaseException, address: Address, database: int = 0) -> ConnectorsError:
    """Return what an error of the driver, or one that the server told, means."""
    words = _words(error)
    code = words.partition(" ")[0]
    for phrase, (field, text, hint) in _ENCRYPTION.items():
        if phrase in words:
            return ConfigurationError(f"{text.format(address)}: {words}.", field=field, hint=hint)
    if isinstance(error, exceptions.NoPermissionError) or code == "NOPERM":
        return AccessDenied(f"{address} does not allow this to the user: {words}.", hint=_READS)
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthenticationWrongNumberOfArgsError) or (
        code in {"NOAUTH", "WRONGPASS", "DENIED"} or "without any password" in words
    ):
        user = f"the user {address.user!r}" if address.user else "us"
        return AccessDenied(f"{address} refuses {user}: {words}.", hint=_USERS)
    if code in _WAITS or isinstance(error, exceptions.BusyLoadingError | exceptions.MasterDownError):
        why = next((text for name, text in _WAITS.items() if name == code), words)
        return Throttled(f"{address} can't be read now, as {why}.", retry_after_s=_WAIT_S)
    if "max number of clients" in words:
        return Throttled(f"{address} has as many connections as it may have.", retry_after_s=_WAIT_S)
    if "DB index" in words:
        return ConfigurationError(f"{address} has no database {database}: {words}.", field="database")
    if code in _CLUSTER:
        return cluster(address)
    if isinstance(error, exceptions.ResponseError):
        return SourceError(f"{address} says: {words}.")
    return SourceUnreachable(f"{address} can't be reached: {words}.", hint="Check host and port, and that it runs.")


def cluster(address: Address) -> ConnectorsError:
    """Return that the server is a part of a cluster."""
    message = f"{address} is a node of a Redis Cluster, which can't be read as a whole by this source."
    return ConfigurationError(message, field="host", hint="Name a server that is in no cluster.")


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().rstrip(".")


_UNTRUSTED: Final = ("ssl_ca", "The certificate of {} is not trusted", "Set ssl_ca, and check the name of the host.")
_PLAIN: Final = ("ssl_enabled", "{} has no encrypted connections", "Give it a certificate, or switch ssl_enabled off.")
_MUTUAL: Final = ("tls_certfile", "{} wants a certificate of ours that it trusts", "Set mutual_tls_enabled.")
_ENCRYPTION: Final[Mapping[str, tuple[str, str, str]]] = {
    "CERTIFICATE_VERIFY_FAILED": _UNTRUSTED,
    "certificate verify failed": _UNTRUSTED,
    "WRONG_VERSION_NUMBER": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
    "CERTIFICATE_REQUIRED": _MUTUAL,
    "certificate required": _MUTUAL,
    "UNKNOWN_CA": _MUTUAL,
    "unknown ca": _MUTUAL,
}
