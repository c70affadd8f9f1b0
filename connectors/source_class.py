"""The source class: what can be told of a class of sources, and of one of its objects, whatever it inherits from."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from connectors.fields import Configuration, Fields
from connectors.storage import Storage


def has(source: object, method: str) -> bool:
    """Return whether a source, or its class, has a method of its own beyond what the contract does."""
    kind = source if isinstance(source, type) else type(source)
    found = next((vars(one)[method] for one in kind.__mro__ if method in vars(one)), None)
    contract: Mapping[str, Any] = next((vars(one) for one in kind.__mro__ if "is_contract" in vars(one)), {})
    return found is not None and found is not contract.get(method)


def fields_of(source: type) -> Fields:
    """Return the fields of a source class: those it declares, or those that its plain configuration describes."""
    declared = getattr(source, "fields", None)
    return declared if isinstance(declared, Fields) and declared else Fields.of_configuration(_default_of(source))


def made(source: type[Any], configuration: Configuration, storage: Storage) -> Any:  # noqa: ANN401 - of that class
    """Return a source of that class, which has its `storage` before its constructor runs.

    A class that has one of its own, or no room for one, is left as it is.
    """
    one: Any = source.__new__(source, configuration)
    if not has(source, "storage"):
        with suppress(AttributeError):  # of a class with slots
            one.storage = storage
    source.__init__(one, configuration)
    return one


def remarks_of(source: object) -> list[str]:
    """Return what a source has remarked so far, in a list that grows with it."""
    found = getattr(source, "remarks", None)
    return found if isinstance(found, list) else []


def is_made_of_rows(source: object) -> bool:
    """Return whether a walk of a source is what `documents_behind` makes of its rows."""
    has_rows = has(source, "datasets") and has(source, "read")
    return has_rows and not has(source, "get_docs") and not has(source, "get_docs_from")


def can_be_live(source: object) -> bool:
    """Return whether a source tells of changes as they happen, and of those since a cursor."""
    return has(source, "get_docs_live") and has(source, "get_docs_incrementally")


def can_list_ids(source: object) -> bool:
    """Return whether a source has a `get_ids`: its own, or one made of rows whose ids are those of the base."""
    of_rows = is_made_of_rows(source) and not has(source, "document_of") and hasattr(source, "get_ids")
    return has(source, "get_ids") or of_rows


def can_resume(source: object) -> bool:
    """Return whether a source has a `get_docs_from`: one of its own, or one made of its rows."""
    return has(source, "get_docs_from") or (is_made_of_rows(source) and hasattr(source, "get_docs_from"))


@asynccontextmanager
async def opened(source: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - of any class that has the methods
    """Provide a source while it is used: entered where it can be, else closed at the end where that can be."""
    if hasattr(source, "__aenter__"):
        async with source as entered:
            yield entered
        return
    try:
        yield source
    finally:
        if hasattr(source, "close"):
            await source.close()


def _default_of(source: Any) -> Mapping[str, object]:  # noqa: ANN401 - any class with that method
    configuration: Mapping[str, object] = source.get_default_configuration()
    return configuration
