"""What the errors of PostgreSQL mean, and what to do about them."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.sources._sql.address import Address

Meaning = Callable[[Address, str], ConnectorsError]
_PREFIX: Final = re.compile(r".*(?:(?:FATAL|ERROR): +|connection failed: |port \d+ failed: )", re.DOTALL)
"""What stands before the words of the server, of which there may be some for each address of a host."""


def explained(error: BaseException, address: Address) -> ConnectorsError:
    """Return what an error of the driver means: by its SQLSTATE, which logging in fails without."""
    state = _state_of(error)
    words = _words_of(error)
    for length in (5, 2):
        if meaning := _MEANINGS.get(state[:length]):
            return meaning(address, words)
    if state:
        return SourceError(f"{address} says: {words} (SQLSTATE {state}).")
    for phrase, meaning in _PHRASES.items():
        if phrase in words:
            return meaning(address, words)
    return _unreachable(address, words)


def _state_of(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""


def _words_of(error: BaseException) -> str:
    """Return what the server says, with its own advice; else what the driver does."""
    diagnosis = getattr(error, "diag", None)
    said = [getattr(diagnosis, name, None) for name in ("message_primary", "message_hint")]
    words = ". ".join(one.rstrip(".") for one in said if one) or str(error) or type(error).__name__
    return _PREFIX.sub("", words).strip().partition("\n")[0].rstrip(".")


def _unreachable(address: Address, words: str) -> ConnectorsError:
    return SourceUnreachable(f"{address} can't be reached: {words}.", hint="Check host and port, and that it runs.")


def _refused(address: Address, words: str) -> ConnectorsError:
    hint = "Check the user and the password, and that pg_hba.conf lets that user in from this machine."
    return AccessDenied(f"{address} refuses the user {address.user!r}: {words}.", hint=hint)


def _denied(address: Address, words: str) -> ConnectorsError:
    return AccessDenied(
        f"{address} says: {words}.", hint="GRANT USAGE on the schema and SELECT on the table to that user."
    )


def _writes(address: Address, words: str) -> ConnectorsError:
    return AccessDenied(f"{address} is only read, and this would write: {words}.")


def _missing(address: Address, words: str) -> ConnectorsError:
    return ConfigurationError(f"{address} has no database {address.database!r}: {words}.", field="database")


def _unencrypted(address: Address, words: str) -> ConnectorsError:
    return ConfigurationError(f"{address} wants an encrypted connection: {words}.", field="ssl_enabled", hint="Set it.")


def _without_encryption(address: Address, words: str) -> ConnectorsError:
    hint = "Have the server use a certificate (ssl = on), or unset ssl_enabled."
    return ConfigurationError(f"{address} can't encrypt: {words}.", field="ssl_enabled", hint=hint)


def _untrusted(address: Address, words: str) -> ConnectorsError:
    hint = "Set ssl_ca to the certificate of its authority, and check the host."
    return ConfigurationError(f"The certificate of {address} is not trusted: {words}.", field="ssl_ca", hint=hint)


def _ended(address: Address, words: str) -> ConnectorsError:
    if "user request" in words:
        return _disturbed(address, words)
    hint = "Raise statement_timeout_s, or have the statement find its rows by an index."
    return SourceError(f"{address} says: {words}.", hint=hint)


def _crowded(address: Address, words: str) -> ConnectorsError:
    return Throttled(f"{address} says: {words}.")


def _disturbed(address: Address, words: str) -> ConnectorsError:
    hint = "Somebody ended the statement, changed the table, or a replica could not wait (hot_standby_feedback)."
    return SourceUnreachable(f"{address} says: {words}.", hint=hint)


_PHRASES: Final[Mapping[str, Meaning]] = {
    "no encryption": _unencrypted,
    "does not support SSL": _without_encryption,
    "certificate": _untrusted,
    "weak sslmode": _untrusted,
    "authentication": _refused,
    "password": _refused,
    "pg_hba.conf": _refused,
    'role "': _refused,
    "permission denied for database": _refused,
    'database "': _missing,
    "too many": _crowded,
    "connection slots": _crowded,
}
"""Of errors without a SQLSTATE, which is what keeps from logging in. The first that fits counts."""
_MEANINGS: Final[Mapping[str, Meaning]] = {
    "08": _unreachable,
    "25006": _writes,
    "25P03": _unreachable,
    "25P04": _unreachable,
    "28": _refused,
    "3D": _missing,
    "40": _disturbed,
    "42501": _denied,
    "53300": _crowded,
    "53400": _crowded,
    "55P03": _disturbed,
    "57014": _ended,
    "57P01": _unreachable,
    "57P02": _unreachable,
    "57P03": _unreachable,
    "57P05": _unreachable,
    "72": _disturbed,
}
"""By SQLSTATE, or by its class, which is the first two characters."""
