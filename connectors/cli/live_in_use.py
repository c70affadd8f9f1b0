"""An index that is in use by a live sync: what a person can do, who can't wait for the end of that."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from connectors.errors import TargetInUse

if TYPE_CHECKING:
    from connectors.store.connector import Connector


@contextmanager
def telling_of_live(connector: "Connector") -> Iterator[None]:
    """Have an error of the block that the index is in use say so where the connector has a live sync."""
    from connectors.store.live import wants_live  # loaded only where it is wanted  # noqa: PLC0415

    try:
        yield
    except TargetInUse as error:
        if wants_live(connector):
            error.hint = f"Its live sync does not end by itself: connectors set {connector.id} --sync live=false"
        raise
