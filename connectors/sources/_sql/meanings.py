"""Meanings: what can go wrong with a database, as errors that say what to do, for those of a driver to be told by."""

from collections.abc import Callable
from functools import partial

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
"""Makes the error of a driver, in its words, one of ours."""


def unreachable(address: Address, words: str) -> ConnectorsError:
    """Return that nobody answers there."""
    return SourceUnreachable(f"{address} can't be reached: {words}.", hint="Check host and port, and that it runs.")


def writes(address: Address, words: str) -> ConnectorsError:
    """Return that something would write."""
    return AccessDenied(f"{address} is only read, and this would write: {words}.")


def missing(address: Address, words: str) -> ConnectorsError:
    """Return that there is no such database."""
    return ConfigurationError(f"{address} has no database {address.database!r}: {words}.", field="database")


def unencrypted(address: Address, words: str) -> ConnectorsError:
    """Return that the server wants encryption."""
    return ConfigurationError(f"{address} wants an encrypted connection: {words}.", field="ssl_enabled", hint="Set it.")


def encrypts_nothing(address: Address, words: str) -> ConnectorsError:
    """Return that the server has no encryption."""
    hint = "Give the server a certificate, or switch ssl_enabled off."
    return ConfigurationError(f"{address} has no encrypted connections: {words}.", field="ssl_enabled", hint=hint)


def untrusted(address: Address, words: str) -> ConnectorsError:
    """Return that its certificate is of nobody who is trusted, or of another host."""
    hint = "Set ssl_ca to the certificate of its authority, and check the host."
    return ConfigurationError(f"The certificate of {address} is not trusted: {words}.", field="ssl_ca", hint=hint)


def too_slow(address: Address, words: str) -> ConnectorsError:
    """Return that a statement took too long."""
    hint = "Raise statement_timeout_s, or have the statement find its rows by an index."
    return SourceError(f"{address} says: {words}.", hint=hint)


def crowded(address: Address, words: str) -> ConnectorsError:
    """Return that it has as much to do as it may."""
    return Throttled(f"{address} says: {words}.")


def refusing(hint: str) -> Meaning:
    """Return the meaning that a user is not let in."""
    return partial(_refused, hint)


def denying(hint: str) -> Meaning:
    """Return the meaning that a user may not do something."""
    return partial(_denied, hint)


def disturbing(hint: str) -> Meaning:
    """Return the meaning that a statement was ended by what others do: the next one may not be."""
    return partial(_disturbed, hint)


def _refused(hint: str, address: Address, words: str) -> ConnectorsError:
    return AccessDenied(f"{address} refuses the user {address.user!r}: {words}.", hint=hint)


def _denied(hint: str, address: Address, words: str) -> ConnectorsError:
    return AccessDenied(f"{address} says: {words}.", hint=hint.format(database=address.database))


def _disturbed(hint: str, address: Address, words: str) -> ConnectorsError:
    return SourceUnreachable(f"{address} says: {words}.", hint=hint)
