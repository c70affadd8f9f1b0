"""Faults: how what goes wrong on the way to the engine becomes one error of the tree."""

import email.utils
import math
from datetime import UTC, datetime
from typing import Final

import msgspec
from elastic_transport import TransportError
from elasticsearch import ApiError, UnsupportedProductError

from connectors.engine.records import Failure, Reason
from connectors.errors import (
    ConfigurationError,
    Conflict,
    ConnectorsError,
    EngineBlocked,
    EngineDenied,
    EngineFailed,
    EngineOverloaded,
    EngineRefused,
    EngineUnreachable,
    IndexMissing,
)

LONGEST_RETRY_AFTER_S: Final = 300.0
"""A server that asks for a longer pause is asked again after this all the same."""
PRIVILEGE: Final = "Give these credentials the privilege that the engine names. docs/engines.md has the list."
_EXCERPT: Final = 200


class _ErrorBody(msgspec.Struct, frozen=True):
    error: Failure | str = ""


def translate(error: ApiError | TransportError, what: str, where: str) -> ConnectorsError:
    """Return the error of the tree for a failed attempt to do `what` at the engine `where`."""
    if isinstance(error, UnsupportedProductError):
        return unknown_product(where)
    if isinstance(error, ApiError):
        return from_status(error.meta.status, error.meta.headers.get("retry-after"), error.body, what, where)
    return EngineUnreachable(f"Could not {what}: {error.message}.")


def from_status(status: int, retry_after: str | None, body: object, what: str, where: str) -> ConnectorsError:
    """Return the error of the tree for an answer with a status of 300 or more."""
    failure = failure_of(body)
    deepest = _deepest(failure)
    kind = deepest.type
    text = f"Could not {what}: {deepest.reason or 'no reason given'} ({kind}, status {status})."
    wait_s = retry_after_s(retry_after)
    match status:
        case 400 if kind == "resource_already_exists_exception":
            return Conflict(text)
        case 401:
            return EngineDenied(text, hint=f"Check the API key, or the user name and password, for {where}.")
        case 403 | 429 if kind == "cluster_block_exception":
            return EngineBlocked(text, hint="Free disk space, or lift the block from the index.")
        case 403:
            return EngineDenied(text, hint=PRIVILEGE)
        case 404 if kind == "index_not_found_exception":
            return IndexMissing(text, index=failure.index or "")
        case 409:
            return Conflict(text)
        case 429:
            return EngineOverloaded(text, retry_after_s=wait_s)
    if status >= 500:
        return EngineFailed(text, status=status, retry_after_s=wait_s)
    return EngineRefused(text, status=status, kind=kind)


def incomplete(what: str, where: str) -> EngineUnreachable:
    """Return the error for an answer that ends early or is no JSON."""
    return EngineUnreachable(f"Could not {what}: what {where} answered is not complete JSON.")


def unknown_product(where: str) -> ConfigurationError:
    """Return the error for something that answers but is no engine."""
    return ConfigurationError(
        f"What answers at {where} is no search engine that we know.",
        field="engine.host",
        hint="Check the address; where a proxy hides what is behind it, set engine.flavor.",
    )


def failure_of(body: object) -> Failure:
    """Return the reason that the body of a refusal gives, whatever shape it has."""
    try:
        error = msgspec.json.decode(body if isinstance(body, bytes | str) else b"", type=_ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return error if isinstance(error, Failure) else Failure(reason=" ".join(error[:_EXCERPT].split()) or None)


def is_answer(body: bytes) -> bool:
    """Return whether a body tells of no error: a 404 then only says that there is no such document."""
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error == ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _deepest(failure: Failure) -> Reason:
    return failure.root_cause[0] if failure.root_cause else failure


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, given in seconds or as a date; None if neither."""
    try:
        wait_s = float(value or "")
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(value or "")
        except ValueError:
            return None
        wait_s = (date.astimezone(UTC) - (now or datetime.now(UTC))).total_seconds()
    return None if math.isnan(wait_s) else min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)
