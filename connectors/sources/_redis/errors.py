"""What the errors of Redis mean, and what to do about them."""

from collections.abc import Callable, Sequence
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

_Meaning = Callable[[Address, str, int], ConnectorsError]
_WAIT_S: Final = 5.0
"""How long a server that loads its data, or is busy, is left alone."""


def explained(error: BaseException, address: Address, database: int = 0) -> ConnectorsError:
    """Return what an error of the driver's, or one that the server told, means."""
    words = (str(error) or type(error).__name__).strip().rstrip(".")
    for classes, phrases, meaning in _MEANINGS:
        if isinstance(error, classes) or any(one in words for one in phrases):
            return meaning(address, words, database)
    if isinstance(error, exceptions.ResponseError):
        return SourceError(f"{address} says: {words}.")
    hint = "Check host and port, that it runs, and which encryption it wants: it may just hang up without it."
    return SourceUnreachable(f"{address} can't be reached: {words}.", hint=hint)


def cluster(address: Address, words: str = "", database: int = 0) -> ConnectorsError:
    """Return that the server is a part of a cluster."""
    del words, database
    message = f"{address} is a node of a Redis Cluster, which can't be read as a whole by this source."
    return ConfigurationError(message, field="host", hint="Name a server that is in no cluster.")


def _refused(address: Address, words: str, _: int) -> ConnectorsError:
    user = f"the user {address.user!r}" if address.user else "us"
    return AccessDenied(f"{address} refuses {user}: {words}.", hint="Check username and password.")


def _denied(address: Address, words: str, _: int) -> ConnectorsError:
    hint = "docs/redis.md says what the user has to be allowed."
    return AccessDenied(f"{address} does not allow this to the user: {words}.", hint=hint)


def _passing(address: Address, words: str, _: int) -> ConnectorsError:
    return Throttled(f"{address} can't be read now: {words}.", retry_after_s=_WAIT_S)


def _no_database(address: Address, words: str, database: int) -> ConnectorsError:
    return ConfigurationError(f"{address} has no database {database}: {words}.", field="database")


def _wrong(field: str, text: str, hint: str) -> _Meaning:
    """Return the meaning that a setting of the encryption is wrong."""
    return lambda address, words, _: ConfigurationError(f"{text.format(address)}: {words}.", field=field, hint=hint)


_MEANINGS: Final[Sequence[tuple[tuple[type[Exception], ...], tuple[str, ...], _Meaning]]] = (
    (
        (),
        ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed"),
        _wrong("ssl_ca", "The certificate of {} is not trusted", "Set ssl_ca, and check the name of the host."),
    ),
    (
        (),
        ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER_FAILURE", "record layer failure"),
        _wrong("ssl_enabled", "{} has no encrypted connections", "Give it a certificate, or switch ssl_enabled off."),
    ),
    (
        (),
        ("CERTIFICATE_REQUIRED", "certificate required", "UNKNOWN_CA", "unknown ca"),
        _wrong("tls_certfile", "{} wants a certificate of ours that it trusts", "Set mutual_tls_enabled."),
    ),
    ((exceptions.NoPermissionError,), (), _denied),
    ((exceptions.MaxConnectionsError,), ("max number of clients",), _passing),
    (
        (exceptions.AuthenticationError, exceptions.AuthenticationWrongNumberOfArgsError),
        ("NOAUTH", "WRONGPASS", "DENIED", "without any password"),
        _refused,
    ),
    (
        (
            exceptions.BusyLoadingError,
            exceptions.MasterDownError,
            exceptions.OutOfMemoryError,
            exceptions.TryAgainError,
        ),
        ("BUSY ", "LOADING ", "MASTERDOWN "),
        _passing,
    ),
    (
        (exceptions.MovedError, exceptions.AskError, exceptions.ClusterDownError, exceptions.ClusterCrossSlotError),
        (),
        cluster,
    ),
    ((), ("DB index",), _no_database),
)
"""What errors mean, by their classes or by what is in their words. The first that fits counts."""
