"""Shrinking: a search that two engines answer differently, made smaller for as long as they still do."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from tests.engine.embedded.differential.mappings import Json

Differs = Callable[[Json], Awaitable[bool]]
"""Says whether a search is still answered differently."""
_MOST_TRIES = 400


async def shrunk(body: Json, differs: Differs) -> Json:
    """Return a smaller body of which something still differs."""
    tries = 0
    found = True
    while found:
        found = False
        for smaller in _smaller(body):
            tries += 1
            if tries > _MOST_TRIES:
                return body
            if await differs(smaller):
                body, found = smaller, True
                break
    return body


def _smaller(value: Any) -> Iterator[Any]:
    """Yield values with one thing less: a key, an item, a level, or half of a text."""
    if isinstance(value, dict):
        for key in value:
            yield {other: value[other] for other in value if other != key}
        if isinstance(value.get("query"), dict):
            yield from ({**value, "query": inner} for inner in _inner_queries(value["query"]))
        for key, below in value.items():
            yield from ({**value, key: smaller} for smaller in _smaller(below))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield value[:place] + value[place + 1 :]
        for place, below in enumerate(value):
            yield from ([*value[:place], smaller, *value[place + 1 :]] for smaller in _smaller(below))
    elif isinstance(value, str) and len(value) > 1:
        middle = len(value) // 2
        yield from (value[:middle], value[middle:], value[1:], value[:-1])


def _inner_queries(query: Json) -> Iterator[Json]:
    for body in query.values():
        for below in body.values() if isinstance(body, dict) else ():
            for one in below if isinstance(below, list) else [below]:
                if isinstance(one, dict) and len(one) == 1:
                    yield one
