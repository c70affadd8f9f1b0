"""A position: where a change stream stands, and which collections there were, as a cursor that can be stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import CursorExpired
from connectors.sources._mongodb.catalog import Collection, uuids_of
from connectors.sources._mongodb.stream import plain, token_of

Cursor = Mapping[str, Any]
HINT = "A full sync finds what there is."


@dataclass(frozen=True)
class Position:
    """A place in the log of a server, and the collections whose documents were known there, by their UUIDs.

    A place at which nothing happened is only a time, and so looks good on any server. The UUIDs tell that a server is
    another one, or holds other collections under the same names.
    """

    after: Mapping[str, Any]
    collections: Mapping[str, str | None]
    wanted: Sequence[Sequence[str]]

    @classmethod
    def of(cls, cursor: Cursor, wanted: Sequence[Sequence[str]]) -> "Position":
        """Return the position of a cursor. Raises `CursorExpired` for one of other settings, or that is none."""
        after, collections = cursor.get("after"), cursor.get("collections")
        if not isinstance(after, Mapping) or not isinstance(collections, Mapping):
            raise CursorExpired(f"The cursor has no place in a change stream, but {sorted(cursor)}.", hint=HINT)
        if cursor.get("wanted") != [list(names) for names in wanted]:
            raise CursorExpired("The cursor is of other databases and collections than the settings name.", hint=HINT)
        try:
            return cls(token_of(after), collections, wanted)
        except ValueError as error:
            raise CursorExpired(f"The cursor has no place in a change stream. {error}", hint=HINT) from None

    @property
    def cursor(self) -> dict[str, Any]:
        """What is stored of it."""
        wanted = [list(names) for names in self.wanted]
        return {"after": plain(self.after), "collections": dict(self.collections), "wanted": wanted}

    def check(self, now: Iterable[Collection]) -> None:
        """Raise `CursorExpired` where a collection that was known is gone, or is another one."""
        uuids = uuids_of(now)
        for namespace, uuid in self.collections.items():
            if namespace not in uuids:
                raise CursorExpired(f"The collection {namespace!r} was dropped or renamed.", hint=HINT)
            if uuid != uuids[namespace]:
                message = f"The collection {namespace!r} was dropped and made anew, or is one of another server."
                raise CursorExpired(message, hint=HINT)
