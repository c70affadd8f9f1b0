"""What the errors of MongoDB and of its driver mean, and what to do about them."""

import re
from typing import Final

from bson.errors import BSONError
from pymongo import errors

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorsError,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from connectors.sources._mongodb.address import Address
from connectors.wording import shortened

LONGEST: Final = 400
REFUSED: Final = {11, 18, 8000}
UNAUTHORIZED: Final = {13, 31, 8}
NO_STREAM: Final = {40573, 115, 59, 40324}
"""There are no change streams: of a server that is no member of a replica set, or of something like one."""
LOST: Final = {9, 14, 222, 260, 280, 286, 346, 10334, 40585, 40615, 40647, 40649, 50811}
"""A change stream can't go on, or not behind this place: the log does not reach back to it, or it is none."""
_ELSEWHERE: Final = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
_DISTURBED: Final = {43, 175, 202, 237, 290, 11601, 136}
_SLOW: Final = {50}
_BUSY: Final = {462, 365}
_TOPOLOGY: Final = re.compile(r",? (?:Timeout: [\d.]+m?s,? )?Topology Description:.*|, full error:.*", re.DOTALL)
_OF_THE_ADDRESS: Final = (errors.ConfigurationError, errors.InvalidName, ValueError)
_CONFIGURED: Final = re.compile(r" \(configured timeouts:.*?\)")


def code_of(error: BaseException) -> int:
    """Return the number of an error of the server's; 0 where it is none."""
    return (error.code or 0) if isinstance(error, errors.OperationFailure) else 0


def explained(error: Exception, address: Address) -> ConnectorsError:
    """Return what an error of the driver means."""
    words = _words(error)
    if "CERTIFICATE_VERIFY_FAILED" in words or "certificate verify failed" in words:
        hint = "Set ssl_ca to the certificate of its authority, and check the host."
        return ConfigurationError(f"The certificate of {address} is not trusted: {words}.", field="ssl_ca", hint=hint)
    if "WRONG_VERSION_NUMBER" in words:
        hint = "Give the server a certificate, or switch ssl_enabled off."
        return ConfigurationError(f"{address} has no encrypted connections: {words}.", field="ssl_enabled", hint=hint)
    if "[X509" in words or "[PEM" in words:
        return ConfigurationError(f"There is no certificate in PEM: {words}.", field="ssl_ca")
    if isinstance(error, errors.OperationFailure):
        return _of_server(code_of(error), words, address)
    if isinstance(error, errors.WaitQueueTimeoutError):
        return Throttled(f"{address} says: {words}.")
    if isinstance(error, errors.ConnectionFailure | OSError):
        hint = "Check host and port, the name of the replica set, and that it runs."
        return SourceUnreachable(f"{address} can't be reached: {words}.", hint=hint)
    if isinstance(error, _OF_THE_ADDRESS) and not isinstance(error, BSONError):
        return ConfigurationError(f"The driver does not take this address: {words}.", field="host")
    return SourceError(f"{address} says: {words}.")


def _of_server(code: int, words: str, address: Address) -> ConnectorsError:
    kinds: tuple[tuple[set[int], ConnectorsError], ...] = (
        (
            REFUSED,
            AccessDenied(
                f"{address} refuses the user {address.user!r}: {words}.",
                hint="Check the user and the password, and authSource, the database that knows the user.",
            ),
        ),
        (UNAUTHORIZED, AccessDenied(f"{address} says: {words}.", hint="Grant that user the role `read`.")),
        (_ELSEWHERE, SourceUnreachable(f"{address} is changing its roles, or goes down: {words}.")),
        (_DISTURBED, SourceUnreachable(f"{address} says: {words}.", hint="Somebody ended it, or it took too long.")),
        (_BUSY, Throttled(f"{address} says: {words}.")),
        (
            _SLOW,
            SourceError(
                f"{address} says: {words}.",
                hint="Raise statement_timeout_s, or have the rule find its documents by an index.",
            ),
        ),
    )
    for codes, meaning in kinds:
        if code in codes:
            return meaning
    return SourceError(f"{address} says: {words}{f' (error {code})' if code else ''}.")


def _words(error: Exception) -> str:
    """Return what an error says, without what the driver knows of each server."""
    text = _CONFIGURED.sub("", _TOPOLOGY.sub("", str(error))).strip().rstrip(".,")
    return shortened(text, LONGEST) or type(error).__name__
