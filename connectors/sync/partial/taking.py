"""Taking: has a feed take one change that a source told of."""

from connectors.changes import Checkpoint, Cursor, Delete, Failed, Upsert
from connectors.errors import SourceError
from connectors.sync.partial.feed import Feed
from connectors.sync.partial.position import checked


async def take(feed: Feed, change: object) -> Cursor | None:
    """Feed a change; return the cursor where it is one. Raises a `SourceError` for what is no change."""
    match change:
        case Upsert():
            await feed.upsert(change.document, change.download)
        case Delete():
            await feed.delete(change.id)
        case Failed():
            await feed.fail(change)
        case Checkpoint():
            return checked(change.cursor)
        case _:
            raise SourceError(
                f"The source yielded an object of the type {type(change).__name__}, which is no change.",
                hint="This is a fault of the source: it yields what connectors.changes has.",
            )
    return None
