"""What the errors of SQL Server mean, and what to do about them."""

from collections.abc import Container, Mapping
from typing import Final

from connectors.errors import ConfigurationError, ConnectorsError, SourceError
from connectors.sources._sql import meanings
from connectors.sources._sql.address import Address
from connectors.sources._sql.meanings import Meaning


def explained(error: BaseException, address: Address) -> ConnectorsError:
    """Return what an error of the driver means: by its words where they tell more than the number, else by that.

    Who may not open a database is told so, and then that the login failed: the number is that of the second message.
    """
    number, words = _number_of(error), _words_of(error)
    for phrase, meaning in _PHRASES.items():
        if phrase in words:
            return meaning(address, words)
    for numbers, meaning in _MEANINGS:
        if number in numbers:
            return meaning(address, words)
    if number:
        return SourceError(f"{address} says: {words} (error {number}).")
    return meanings.unreachable(address, words)


def _number_of(error: BaseException) -> int:
    number = getattr(error, "number", 0)
    return number if isinstance(number, int) else 0


def _words_of(error: BaseException) -> str:
    """Return what the server said, all of it; else what the driver does."""
    first = error.args[0] if error.args else ""
    if isinstance(error, OSError) and error.strerror:
        first = error.strerror
    if isinstance(error, TimeoutError):
        first = "no answer came in time"
    words = first if isinstance(first, str) else ", ".join(" ".join(map(str, one)) for one in first)
    return " ".join(words.split()).rstrip(".") or type(error).__name__


def _elsewhere(address: Address, words: str) -> ConnectorsError:
    hint = "A replica that takes read-only connections alone wants read_only_intent; one that takes none, another host."
    return ConfigurationError(f"{address} says: {words}.", field="read_only_intent", hint=hint)


_PHRASES: Final[Mapping[str, Meaning]] = {
    "Cannot open database": meanings.missing,
    "not supported by server": meanings.encrypts_nothing,
    "unexpected ENCRYPT_ON": meanings.encrypts_nothing,
    "certificate verify failed": meanings.untrusted,
}
_refused: Final = meanings.refusing(
    "Check the user and the password, that the server lets users in by passwords, and its firewall."
)
_MEANINGS: Final[tuple[tuple[Container[int], Meaning], ...]] = (
    ({911, 4060, 4064}, meanings.missing),
    ({18450, 18451, 18452, 18456, 18458, 18461, 18463, *range(18464, 18469), *range(18470, 18489), 40615}, _refused),
    ({916, 40532, 40914}, _refused),
    (
        {229, 230, 262, 297, 300, 371},
        meanings.denying("Make that user a member of db_datareader in {database!r}, or GRANT SELECT on the table."),
    ),
    ({978, 979}, _elsewhere),
    ({3906, 3908}, meanings.writes),
    ({701, 1204, 8645, 8651, 10928, 10929, 10930, 17809, 17810, 40501, 49918, 49919, 49920}, meanings.crowded),
    (
        {601, 1205, 1222, 3957, 3958, 3959, 3960, 3961, 3966, 5074},
        meanings.disturbing("Somebody held a lock on what is read, or changed the table."),
    ),
    (
        {
            233,
            596,
            615,
            926,
            927,
            945,
            976,
            983,
            3624,
            4221,
            6005,
            9001,
            10053,
            10054,
            10060,
            40143,
            40166,
            40197,
            40540,
        },
        meanings.unreachable,
    ),
    ({40613, 40623, 42108, 42109}, meanings.unreachable),
)
"""By number. Those from 40000 on are of Azure: 40613 is a database that is moved or woken up just now."""
