"""A secret: a string that never prints itself."""

from typing import Final

MASK: Final = "***"


class Secret:
    """Holds a password or key; only `reveal()` gives it away, and reads as such where it is called."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself: call it where it is sent, never where it is shown."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
