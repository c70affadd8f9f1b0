"""A request to the embedded engine, its parameters and its body."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from connectors.engine.embedded.refusal import Refusal, illegal_argument

COMMON: Final = frozenset({"pretty", "human", "error_trace", "format", "filter_path"})
"""Parameters that every request may have."""
_TRUE, _FALSE = frozenset({"true", ""}), frozenset({"false"})


@dataclass(frozen=True)
class Parameters:
    """What stands behind the question mark of a target."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """Return a parameter as it is."""
        return self.values.get(name)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a parameter that is true or false; naming it alone means true."""
        value = self.text(name)
        if value is None:
            return default
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise illegal_argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")

    def number(self, name: str) -> int | None:
        """Return a parameter that is a whole number of 64 bits."""
        value = self.text(name)
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = 2**64
        if not -(2**63) <= number < 2**63:
            raise illegal_argument(f"Failed to parse {name} parameter [{value}], expected a long")
        return number

    def names(self, name: str) -> list[str] | None:
        """Return a parameter that is a list with commas."""
        value = self.text(name)
        return None if value is None else [part for part in value.split(",") if part]

    def check(self, path: str, known: frozenset[str]) -> None:
        """Raise a `Refusal` when there is a parameter that the route does not know."""
        unknown = sorted(self.values.keys() - known - COMMON)
        if unknown:
            several = "s" if len(unknown) > 1 else ""
            listed = ", ".join(f"[{name}]" for name in unknown)
            raise illegal_argument(f"request [{path}] contains unrecognized parameter{several}: {listed}")


@dataclass(frozen=True)
class Call:
    """One request that found its route."""

    method: str
    path: str
    parts: Mapping[str, str]
    parameters: Parameters
    body: bytes

    def json(self) -> dict[str, Any] | None:
        """Return the body as an object; None when there is none."""
        if not self.body.strip():
            return None
        value = decode(self.body)
        if not isinstance(value, dict):
            raise Refusal(400, "parsing_exception", f"Expected [START_OBJECT] but found [{type(value).__name__}]")
        return value


def decode(raw: bytes) -> Any:  # noqa: ANN401 - JSON
    """Decode JSON. Raises a `Refusal`."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "x_content_parse_exception", str(error)) from error


def split_target(target: str) -> tuple[str, list[str], Parameters]:
    """Return the path of a target as it was sent, its decoded parts, and its parameters."""
    path, _, query = target.partition("?")
    parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    return path, parts, Parameters(dict(parse_qsl(query, keep_blank_values=True)))
