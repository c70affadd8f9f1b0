"""What the errors of Oracle mean, and what to do about them."""

import re
from collections.abc import Mapping
from typing import Final

from connectors.errors import ConfigurationError, ConnectorsError, SourceError
from connectors.sources._sql import meanings
from connectors.sources._sql.address import Address
from connectors.sources._sql.meanings import Meaning

_CODE: Final = re.compile(r"\b(?:ORA|DPY)-\d{4,5}\b")
_ADVICE: Final = re.compile(r"\s*(?:\n\s*Help: \S+|\(CONNECTION_ID=[^)]*\)\.?|\(Similar to ORA-\d+\))")
"""What the driver adds that says nothing here."""
_CONNECTING: Final = "DPY-6005"
"""Stands before what went wrong when a connection was made."""


def explained(error: BaseException, address: Address) -> ConnectorsError:
    """Return what an error of the driver means: by its codes, of which the innermost says most."""
    said = "no answer came in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    words = _words_of(said)
    for phrase, meaning in _PHRASES.items():
        if phrase in said:
            return meaning(address, words)
    for code in reversed(_CODE.findall(said)):
        if code in _BY_CODE:
            return _BY_CODE[code](address, words)
    if isinstance(error, OSError) or _CONNECTING in said:
        return meanings.unreachable(address, words)
    return SourceError(f"{address} says: {words}.")


def _words_of(said: str) -> str:
    """Return the words of the server, or the driver's own: one line, without where to read more."""
    lines = [line.strip() for line in _ADVICE.sub("", said).splitlines() if line.strip()]
    inner = [line for line in lines if not line.startswith(_CONNECTING)] or lines
    return ("; ".join(inner) or said).rstrip(".")


def _without_service(address: Address, words: str) -> ConnectorsError:
    hint = "`lsnrctl status` on the host lists what there is. A service that just starts is not there yet."
    return ConfigurationError(
        f"{address} has no service {address.database!r}: {words}.", field="service_name", hint=hint
    )


def _without_sid(address: Address, words: str) -> ConnectorsError:
    hint = "A pluggable database has a service_name, and no SID of its own."
    return ConfigurationError(f"{address} has no SID {address.database!r}: {words}.", field="sid", hint=hint)


def _without_schema(address: Address, words: str) -> ConnectorsError:
    hint = "Names are in upper case, unless they were made in quotes."
    return ConfigurationError(f"{address} has no such schema: {words}.", field="schema", hint=hint)


def _unencrypted(address: Address, words: str) -> ConnectorsError:
    hint = "Set oracle_protocol to TCPS."
    return ConfigurationError(f"{address} wants an encrypted connection: {words}.", field="oracle_protocol", hint=hint)


def _encrypts_nothing(address: Address, words: str) -> ConnectorsError:
    hint = "Set the port of its TCPS, or oracle_protocol to TCP."
    return ConfigurationError(f"{address} has no encrypted connections: {words}.", field="oracle_protocol", hint=hint)


def _without_wallet(address: Address, words: str) -> ConnectorsError:
    del address
    hint = "It has to be a folder with the file ewallet.pem."
    return ConfigurationError(f"There is no wallet: {words}.", field="wallet_configuration_path", hint=hint)


def _too_old(address: Address, words: str) -> ConnectorsError:
    hint = "Oracle Database 12.1 and later can be read."
    return ConfigurationError(f"{address} is too old: {words}.", field="host", hint=hint)


_refused: Final = meanings.refusing(
    "Check the user and the password, that the account is open, and that it may CREATE SESSION."
)
_old_verifier: Final = meanings.refusing(
    "The password is kept in the way of version 10 alone: set it again with SEC_CASE_SENSITIVE_LOGON."
)
_denied: Final = meanings.denying("GRANT READ on the table to that user; grants by a role count where it is enabled.")
_disturbed: Final = meanings.disturbing(
    "The next snapshot begins. If the undo does not last so long, set snapshot_max_s below UNDO_RETENTION."
)
_PHRASES: Final[Mapping[str, Meaning]] = {
    "CERTIFICATE_VERIFY_FAILED": meanings.untrusted,
    "DPY-6002": meanings.untrusted,
    "DPY-6006": meanings.untrusted,
    "WRONG_VERSION_NUMBER": _encrypts_nothing,
    "DPY-2018": _without_wallet,
}
"""What counts whatever else is said."""
_MEANINGS: Final[tuple[tuple[tuple[int, ...], Meaning], ...]] = (
    ((1005, 1017, 1045, 12638, 28000, 28001, 28009, 28040, 28547), _refused),
    ((12514,), _without_service),
    ((12505,), _without_sid),
    ((1435,), _without_schema),
    ((12650, 12660), _unencrypted),
    ((942, 1031, 1720, 41900), _denied),
    ((1456, 16000, 25153), meanings.writes),
    ((18, 20, 2391, 12516, 12518, 12519, 12520, 12521, 24757), meanings.crowded),
    ((40, 2393, 2395), meanings.too_slow),
    ((54, 60, 1002, 1013, 1410, 1466, 1555, 4061, 4068, 8103, 8176, 8177, 12842, 14403, 22924), _disturbed),
    (
        (
            *(22, 28, 31, 45, 600, 602, 603, 609, 1012, 1033, 1034, 1041, 1089, 1090, 1092, 2396, 2399, 3113, 3114),
            *(3135, 12153, 12154, 12157, 12170, 12203, 12500, 12526, 12528, 12537, 12541, 12543, 12545, 12547),
            *(12560, 12564, 12570, 12571, 12583, 12606, 12637, 27146, 28511, 56600),
        ),
        meanings.unreachable,
    ),
)
_OF_THE_DRIVER: Final[Mapping[str, Meaning]] = {
    "DPY-3010": _too_old,
    "DPY-3015": _old_verifier,
    "DPY-4001": _refused,
    "DPY-4011": meanings.unreachable,
    "DPY-4024": meanings.too_slow,
    "DPY-4033": meanings.unreachable,
    "DPY-6000": meanings.unreachable,
    "DPY-6001": _without_service,
    "DPY-6003": _without_sid,
}
_BY_CODE: Final[Mapping[str, Meaning]] = {
    **_OF_THE_DRIVER,
    **{f"ORA-{number:05d}": meaning for numbers, meaning in _MEANINGS for number in numbers},
}
