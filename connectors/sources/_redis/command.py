"""What goes over the wire to a server, and comes back."""

from dataclasses import dataclass
from typing import Any

Command = tuple[bytes | str | int, ...]
Reply = Any
"""What a server answers: bytes, a number, nothing, a list of these, or a `Refusal`."""


@dataclass(frozen=True)
class Address:
    """Where a server is, and who asks for it: what of that may be shown."""

    host: str
    port: int
    user: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Refusal:
    """What a server answered instead of what one command asked for: an error of the driver's."""

    error: Exception

    @property
    def is_of_type(self) -> bool:
        """Whether the key holds a value of another type than was asked for."""
        return str(self.error).startswith("WRONGTYPE")
