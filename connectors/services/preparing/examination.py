"""The examination: whether a source can be reached with the settings of its connector, and what its rules are worth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from connectors import logger
from connectors.errors import ConnectorsError, Permanent
from connectors.fields import Configuration
from connectors.filtering.chain import validate
from connectors.filtering.validation import FilteringValidation
from connectors.grants import Grants
from connectors.secret import without_user_info
from connectors.services.preparing.draft import Draft
from connectors.source_class import fields_of, made
from connectors.storage import Backend, Storage
from connectors.store.connector import Connector
from connectors.sync.foreign import Mask, entered, of_source

log = logger.get(__name__)
REACH_S: Final = 30.0
"""How long a source may take to be opened, checked and reached."""
VALIDATOR_S: Final = 10.0
"""How long one validator of sync rules may take."""
CLOSE_S: Final = 10.0
"""How long a source may take to be closed; afterwards nobody waits for that."""


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for."""

    reach_s: float = REACH_S
    validator_s: float = VALIDATOR_S
    close_s: float = CLOSE_S


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a connector, in words that may be shown; whether that may pass by itself; and its draft."""

    error: str | None = None
    may_pass: bool = False
    draft: FilteringValidation | None = None

    @classmethod
    def of(cls, error: ConnectorsError, mask: Mask = str) -> "Verdict":
        """Return what an error comes to."""
        return cls(without_user_info(mask(str(error))), may_pass=not isinstance(error, Permanent))


@dataclass(frozen=True)
class Means:
    """What sources are given, and how long they are waited for."""

    grants: Grants
    storage: Backend
    patience: Patience = Patience()


async def examined(source: type[Any], connector: Connector, draft: Draft | None, means: Means) -> Verdict:
    """Check the settings of a connector, reach its source, and ask the validators about its draft where there is one.

    Raises when it is cancelled only.
    """
    mask: Mask = str
    patience, storage = means.patience, Storage(means.storage, connector.id)
    try:
        with of_source(mask):  # nothing of it knows a value yet
            configuration = Configuration(fields_of(source), connector.configuration, means.grants)
        mask = configuration.masked
        configuration.check()
        async with _closing(connector, patience) as stack:
            async with asyncio.timeout(patience.reach_s):
                reached = await _reached(stack, source, configuration, storage)
            if draft is None:
                return Verdict()
            return Verdict(draft=await validate(reached, draft.rules, limit_s=patience.validator_s))
    except ConnectorsError as error:
        return Verdict.of(error, mask)
    except TimeoutError:
        return Verdict(f"The source did not answer within {patience.reach_s:g} s.", may_pass=True)


async def _reached(stack: AsyncExitStack, source: type[Any], configuration: Configuration, storage: Storage) -> Any:  # noqa: ANN401 - of that class
    mask = configuration.masked
    with of_source(mask):
        one = made(source, configuration, storage)
    reached = await stack.enter_async_context(entered(one, mask))
    with of_source(mask):
        if hasattr(reached, "validate_config"):
            await reached.validate_config()
        await reached.ping()
    return reached


@asynccontextmanager
async def _closing(connector: Connector, patience: Patience) -> AsyncIterator[AsyncExitStack]:
    """Provide a stack that is left in the end, for however long the source takes to close, within a limit."""
    stack = AsyncExitStack()
    try:
        yield stack
    finally:
        limit = asyncio.timeout(patience.close_s)
        with suppress(TimeoutError):
            async with limit:
                await stack.aclose()
        if limit.expired():
            log.warning("A source was not closed in time.", connector=connector.id, after_s=patience.close_s)
