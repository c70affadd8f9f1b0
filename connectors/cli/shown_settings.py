"""Settings as they may be shown: those of a connector's source, with what is secret masked and defaults marked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.cli.wording import value_text
from connectors.secret import MASK

if TYPE_CHECKING:
    from connectors.fields import Configuration
    from connectors.fields.field import Field


@dataclass(frozen=True)
class ShownSetting:
    """One setting: its value, masked where that is or refers to a secret, and whether it counts and is a default."""

    name: str
    value: Any
    is_default: bool = False
    counts: bool = True
    is_known: bool = True
    """Whether the source has such a setting."""

    @property
    def text(self) -> str:
        """The value as a person reads it."""
        return value_text(self.value)

    @property
    def note(self) -> str:
        """What else there is to say."""
        if not self.is_known:
            return "unknown to the source"
        return ", ".join(["default"] * self.is_default + ["not used"] * (not self.counts))


def shown_settings(stored: Mapping[str, Any], configuration: "Configuration | None" = None) -> Iterator[ShownSetting]:
    """Yield the settings of a connector, those of its source first; of a source that is not known, what is stored.

    A setting that nobody says of that it is no secret counts as one.
    """
    known = configuration.fields if configuration is not None else {}
    for name, one in known.items():
        given = _value(stored[name]) if name in stored else one.initial
        value, is_default = _effective(one, given)
        is_masked = one.sensitive or _says_secret(stored.get(name)) or _refers(value)
        counts = configuration is None or configuration.counts(name)
        yield ShownSetting(name, _masked(value) if is_masked else value, is_default, counts)
    for name, one in stored.items():
        if name not in known:
            value = _value(one)
            is_open = isinstance(one, Mapping) and one.get("sensitive") is False and not _refers(value)
            yield ShownSetting(name, value if is_open else _masked(value), is_known=configuration is None)


def _effective(one: "Field", given: object) -> tuple[Any, bool]:
    """Return what counts of a value, and whether that is the default; what is of another type as it is."""
    from connectors.fields.casts import Uncastable  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.fields.field import plain  # noqa: PLC0415

    try:
        value = plain(one.cast(one.or_default(given)))
        return value, value == plain(one.cast(one.initial)) and value not in (None, "", [])
    except Uncastable:
        return given, False


def _value(stored: object) -> object:
    return stored.get("value") if isinstance(stored, Mapping) else stored


def _says_secret(stored: object) -> bool:
    return isinstance(stored, Mapping) and stored.get("sensitive") not in (False, None)


def _refers(value: object) -> bool:
    from connectors.references import names_in  # noqa: PLC0415 - as above

    texts = value if isinstance(value, list) else [value]
    return any(names_in(text) for text in texts if isinstance(text, str))


def _masked(value: object) -> object:
    """Return a mask, and nothing for nothing: that a password is missing is no secret."""
    return value if value in (None, "", []) else MASK
