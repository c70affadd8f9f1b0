"""What the errors of MySQL and MariaDB mean, and what to do about them."""

from collections.abc import Container, Mapping
from typing import Final

from connectors.errors import ConfigurationError, ConnectorsError, SourceError
from connectors.sources._sql import meanings
from connectors.sources._sql.address import Address
from connectors.sources._sql.meanings import Meaning

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
        return meanings.unreachable(address, words)
    return SourceError(f"{address} says: {words}{f' (error {number})' if number else ''}.")


def _number_of(error: BaseException) -> int:
    """Return the number of an error, which is 0 for the driver's own."""
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def _without_package(address: Address, words: str) -> ConnectorsError:
    hint = "Set ssl_enabled, or pip install cryptography."
    return ConfigurationError(f"{address} takes no plain password: {words}.", field="ssl_enabled", hint=hint)


_PHRASES: Final[Mapping[str, Meaning]] = {
    "CERTIFICATE_VERIFY_FAILED": meanings.untrusted,
    "WRONG_VERSION_NUMBER": meanings.encrypts_nothing,
    "cryptography": _without_package,
    "insecure transport": meanings.unencrypted,
}
_MEANINGS: Final[tuple[tuple[Container[int], Meaning], ...]] = (
    ({1049}, meanings.missing),
    ({3159}, meanings.unencrypted),
    (
        {1045, 1129, 1130, 1251, 1698, 1820, 1862, 2059, 3118, 4151},
        meanings.refusing("Check the user and the password, and that the user may come from this machine."),
    ),
    ({1044, 1142, 1143, 1227, 1356, 1370}, meanings.denying("GRANT SELECT ON `{database}`.* TO that user.")),
    ({1290, 1792, 1836}, meanings.writes),
    ({1040, 1203, 1226}, meanings.crowded),
    ({1969, 3024}, meanings.too_slow),
    ({1205, 1213, 1317, 1412, 1637}, meanings.disturbing("Somebody ended the statement, or changed the table.")),
    (_LOST | set(_DRIVER), meanings.unreachable),
)
