"""What the errors of PostgreSQL mean, and what to do about them."""

import re
from collections.abc import Mapping
from typing import Final

from connectors.errors import ConnectorsError, SourceError
from connectors.sources._sql import meanings
from connectors.sources._sql.address import Address
from connectors.sources._sql.meanings import Meaning

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
    return meanings.unreachable(address, words)


def _state_of(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""


def _words_of(error: BaseException) -> str:
    """Return what the server says, with its own advice; else what the driver does."""
    diagnosis = getattr(error, "diag", None)
    said = [getattr(diagnosis, name, None) for name in ("message_primary", "message_hint")]
    words = ". ".join(one.rstrip(".") for one in said if one) or str(error) or type(error).__name__
    return _PREFIX.sub("", words).strip().partition("\n")[0].rstrip(".")


def _ended(address: Address, words: str) -> ConnectorsError:
    return (_disturbed if "user request" in words else meanings.too_slow)(address, words)


_refused: Final = meanings.refusing(
    "Check the user and the password, and that pg_hba.conf lets that user in from this machine."
)
_disturbed: Final = meanings.disturbing(
    "Somebody ended the statement, changed the table, or a replica could not wait (hot_standby_feedback)."
)
_PHRASES: Final[Mapping[str, Meaning]] = {
    "no encryption": meanings.unencrypted,
    "does not support SSL": meanings.encrypts_nothing,
    "certificate": meanings.untrusted,
    "weak sslmode": meanings.untrusted,
    "authentication": _refused,
    "password": _refused,
    "pg_hba.conf": _refused,
    'role "': _refused,
    "permission denied for database": _refused,
    'database "': meanings.missing,
    "too many": meanings.crowded,
    "connection slots": meanings.crowded,
}
"""Of errors without a SQLSTATE, which is what keeps from logging in. The first that fits counts."""
_MEANINGS: Final[Mapping[str, Meaning]] = {
    "08": meanings.unreachable,
    "25006": meanings.writes,
    "25P03": meanings.unreachable,
    "25P04": meanings.unreachable,
    "28": _refused,
    "3D": meanings.missing,
    "40": _disturbed,
    "42501": meanings.denying("GRANT USAGE on the schema and SELECT on the table to that user."),
    "53300": meanings.crowded,
    "53400": meanings.crowded,
    "55P03": _disturbed,
    "57014": _ended,
    "57P01": meanings.unreachable,
    "57P02": meanings.unreachable,
    "57P03": meanings.unreachable,
    "57P05": meanings.unreachable,
    "72": _disturbed,
}
"""By SQLSTATE, or by its class, which is the first two characters."""
