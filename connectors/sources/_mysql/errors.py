"""What the errors of MySQL and MariaDB mean, and what to do about them."""

from collections.abc import Callable, Container, Mapping
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
_LOST: Final = {1053, 1077, 1079, *range(1152, 1162), 1184, 1927, 4031}
"""The server ended the connection. Numbers from 2000 on are of the driver, and mean the same, but for a few."""
_DRIVER: Final = range(2000, 3000)


def is_of_the_connection(error: Exception) -> bool:
    """Return whether an error of the driver's means that the connection can't be used any more."""
    number = _number_of(error)
    return number in _LOST or number in _DRIVER or number == 0


def explained(error: BaseException, address: Address) -> ConnectorsError:
    """Return what an error of the driver means."""
    number = _number_of(error)
    words = (str(error.args[1] if len(error.args) > 1 else error) or type(error).__name__).rstrip(".")
    if isinstance(error, TimeoutError):
        words = "no answer came in time"
    for phrase, meaning in _PHRASES.items():
        if phrase in words:
            return meaning(address, words)
    for numbers, meaning in _MEANINGS:
        if number in numbers:
            return meaning(address, words)
    if isinstance(error, OSError):
        return _unreachable(address, words)
    return SourceError(f"{address} says: {words}{f' (error {number})' if number else ''}.")


def _number_of(error: BaseException) -> int:
    """Return the number of an error, which is 0 for the driver's own."""
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def _unreachable(address: Address, words: str) -> ConnectorsError:
    return SourceUnreachable(f"{address} can't be reached: {words}.", hint="Check host and port, and that it runs.")


def _refused(address: Address, words: str) -> ConnectorsError:
    hint = "Check the user and the password, and that the user may come from this machine."
    return AccessDenied(f"{address} refuses the user {address.user!r}: {words}.", hint=hint)


def _denied(address: Address, words: str) -> ConnectorsError:
    hint = f"GRANT SELECT ON `{address.database}`.* TO that user."
    return AccessDenied(f"{address} says: {words}.", hint=hint)


def _writes(address: Address, words: str) -> ConnectorsError:
    return AccessDenied(f"{address} is only read, and this would write: {words}.")


def _missing(address: Address, words: str) -> ConnectorsError:
    return ConfigurationError(f"{address} has no database {address.database!r}: {words}.", field="database")


def _unencrypted(address: Address, words: str) -> ConnectorsError:
    return ConfigurationError(f"{address} wants an encrypted connection: {words}.", field="ssl_enabled", hint="Set it.")


def _encrypts_nothing(address: Address, words: str) -> ConnectorsError:
    hint = "Give the server a certificate, or switch ssl_enabled off."
    return ConfigurationError(f"{address} has no encrypted connections: {words}.", field="ssl_enabled", hint=hint)


def _untrusted(address: Address, words: str) -> ConnectorsError:
    hint = "Set ssl_ca to the certificate of its authority, and check the host."
    return ConfigurationError(f"The certificate of {address} is not trusted: {words}.", field="ssl_ca", hint=hint)


def _without_package(address: Address, words: str) -> ConnectorsError:
    hint = "Set ssl_enabled, or pip install cryptography."
    return ConfigurationError(f"{address} takes no plain password: {words}.", field="ssl_enabled", hint=hint)


def _too_slow(address: Address, words: str) -> ConnectorsError:
    hint = "Raise statement_timeout_s, or have the statement find its rows by an index."
    return SourceError(f"{address} says: {words}.", hint=hint)


def _crowded(address: Address, words: str) -> ConnectorsError:
    return Throttled(f"{address} says: {words}.")


def _disturbed(address: Address, words: str) -> ConnectorsError:
    return SourceUnreachable(f"{address} says: {words}.", hint="Somebody ended the statement, or changed the table.")


_PHRASES: Final[Mapping[str, Meaning]] = {
    "CERTIFICATE_VERIFY_FAILED": _untrusted,
    "WRONG_VERSION_NUMBER": _encrypts_nothing,
    "cryptography": _without_package,
    "insecure transport": _unencrypted,
}
_MEANINGS: Final[tuple[tuple[Container[int], Meaning], ...]] = (
    ({1049}, _missing),
    ({3159}, _unencrypted),
    ({1045, 1129, 1130, 1251, 1698, 1820, 1862, 2059, 3118, 4151}, _refused),
    ({1044, 1142, 1143, 1227, 1356, 1370}, _denied),
    ({1290, 1792, 1836}, _writes),
    ({1040, 1203, 1226}, _crowded),
    ({1969, 3024}, _too_slow),
    ({1205, 1213, 1317, 1412, 1637}, _disturbed),
    (_LOST | set(_DRIVER), _unreachable),
)
