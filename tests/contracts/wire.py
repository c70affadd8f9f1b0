"""The wire as a contract suite sees it: a request in, status, headers and a decoded body out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Answer:
    """What an engine answered; `body` is decoded JSON, text, or None when it was empty."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Wire(Protocol):
    """Sends one request to the engine under test, as the engine client would, and never retries."""

    async def __call__(self, method: str, target: str, body: object = None) -> Answer:
        """Send `body` to `target`: bytes as they are, anything else as JSON; to `_bulk` as newline-delimited JSON."""
        ...
