"""Whether a source says that something has changed: asked each time as another process would, days later."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from connectors.byoc import Filter
from connectors.storage import Storage
from tests.sources.sql_store import Store

Token = Mapping[str, Any]
PATIENCE_S: Final = 60.0
LOOK_EVERY_S: Final = 0.05


async def asked(
    store: Store, token: Token | None = None, rules: Any = None, storage: Storage | None = None, **given: Any
) -> tuple[bool, Token | None]:
    """Return what a new source says, and the token of this moment as it is kept."""
    async with store.source(**given) as source:
        if storage is not None:
            source.storage = storage
        filtering = None if rules is None else Filter({"advanced_snippet": {"value": rules}})
        changed, new = await source.changed(token, filtering)
        return changed, json.loads(json.dumps(new))


async def token_of(store: Store, **given: Any) -> Token:
    """Return the token of this moment. A server that was started a moment ago has none yet."""
    while True:
        changed, token = await asked(store, **given)
        assert changed
        if token is not None:
            return token
        reason = await why_not(store, **given)
        assert not reason or "a moment ago" in reason
        await asyncio.sleep(LOOK_EVERY_S)


async def has_changed(store: Store, token: Token, **given: Any) -> bool:
    """Return whether a new source says so."""
    return (await asked(store, token, **given))[0]


async def why_not(store: Store, **given: Any) -> str:
    """Return why a source can't tell; nothing where it can."""
    async with store.source(**given) as source:
        found = await source.health()
    assert found["tells_changes"] == ("why_not" not in found)
    return str(found.get("why_not", ""))


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait until something holds of a server."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await holds():
                return
            await asyncio.sleep(LOOK_EVERY_S)
