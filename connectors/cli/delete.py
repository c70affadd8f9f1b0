"""`connectors delete`: removes a connector with all that is stored about it, and on demand its index."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from connectors.cli.arguments import AS_JSON, CONNECTOR, print_json
from connectors.cli.choice import chosen, offer
from connectors.cli.index_use import others_of
from connectors.cli.interruption import until_interrupted
from connectors.cli.invocation import Invocation
from connectors.cli.live_in_use import telling_of_live
from connectors.cli.wording import counted, in_time
from connectors.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.engine.indices import Identity
    from connectors.store.connector import Connector
    from connectors.sync.removal import Removed
    from connectors.sync.workplace import Workplace


@dataclass(frozen=True)
class Seen:
    """What somebody has to know who is asked whether to delete a connector."""

    connector: "Connector"
    indices: list[str]
    own: int
    """Documents of this connector in them."""
    total: int
    """Documents in them, whoever wrote them."""
    earlier: Mapping[str, int]
    """How many documents of it are in each index that it wrote to before."""

    @property
    def where(self) -> str:
        """The index as a person knows it: by the name that the connector has for it, and by its own."""
        name = self.connector.index_name or ""
        return name if self.indices == [name] else f"{name} ({', '.join(self.indices)})"


@click.command(short_help="Delete a connector, and what belongs to it.")
@CONNECTOR
@click.option("--with-index", is_flag=True, help="Delete its index too, with all documents that are in it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
@click.pass_obj
def delete(invocation: Invocation, *, connector_id: str | None, with_index: bool, yes: bool, as_json: bool) -> None:
    """Delete the connector ID with its state, its jobs, its dead letters and the deletions that it held back.

    Its index and the documents in it stay, unless --with-index says otherwise. While it is synced it can't be deleted.
    """
    if connector_id is None:
        asyncio.run(offer(invocation, as_json=as_json))
    seen = asyncio.run(_look(invocation, connector_id, with_index=with_index))
    if not yes:
        _ask(seen, with_index=with_index)
    work = _delete(invocation, connector_id, with_index=with_index)
    removed = asyncio.run(until_interrupted(work))
    if as_json:
        print_json(_described(seen, removed))
        return
    for line in _lines_of(seen, removed):
        click.echo(line)


async def _look(invocation: Invocation, connector_id: str, *, with_index: bool) -> Seen:
    from connectors.sync.index.mark import FIELD  # noqa: PLC0415 - loaded only where it is wanted
    from connectors.sync.removal import indices_of, targets_of  # noqa: PLC0415

    async with invocation.workplace() as place:
        connector = await _found(place, connector_id)
        if with_index:
            await _check_index(place, connector)
        mine = {"term": {f"{FIELD}.c": connector.id}}
        current = await indices_of(place, connector)
        own = [await _number_in(place, one, mine) for one in current]
        total = [await _number_in(place, one, None) for one in current]
        left = [one for one in await targets_of(place, connector) if one not in current]
        earlier = {one.name: await _number_in(place, one, mine) for one in left if await _is_there(place, one)}
        return Seen(connector, [one.name for one in current], sum(own), sum(total), earlier)


async def _number_in(place: "Workplace", index: "Identity", query: Mapping[str, Any] | None) -> int:
    await place.engine.data.refresh(index.name)
    return await place.engine.data.count(index.name, query)


async def _is_there(place: "Workplace", index: "Identity") -> bool:
    return index in await place.engine.indices.resolve(index.name)


async def _found(place: "Workplace", connector_id: str) -> "Connector":
    """Return a connector, also one that is marked as deleted: its removal may have been broken off."""
    found = await place.connectors.get(connector_id) if connector_id else None
    return found if found is not None else await chosen(place.connectors, connector_id)


async def _check_index(place: "Workplace", connector: "Connector") -> None:
    """Raise a `ConfigurationError` when the index is not that of this connector alone."""
    name = connector.index_name
    if name is None:
        return
    others = await others_of(place.engine, place.connectors, connector.id, name)
    if others:
        message = f"The index {name} is that of {', '.join(repr(one.id) for one in others)} too."
        raise ConfigurationError(message, field="index_name", hint="Delete the connector without --with-index.")
    found = await place.engine.indices.resolve(name)
    if len(found) > 1:
        message = f"The alias {name} stands for several indices: {', '.join(one.name for one in found)}."
        hint = "Delete the connector without --with-index, and in the engine those indices that are meant."
        raise ConfigurationError(message, field="index_name", hint=hint)


def _ask(seen: Seen, *, with_index: bool) -> None:
    """Ask on a terminal. Raises a `UsageError` where there is nobody to ask, and `Abort` for a no."""
    name = seen.connector.index_name
    question = f"Delete the connector {seen.connector.id}?"
    context = click.get_current_context()
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes.", context)
    if not with_index or not seen.indices:
        click.confirm(question, abort=True, err=True)
        return
    others = seen.total - seen.own
    foreign = f", {others:,} of them not of this connector" if others else ""
    click.echo(f"The index {seen.where} goes with {counted(seen.total, 'document')}{foreign}.", err=True)
    typed = click.prompt("Type the name of the index to delete it and the connector", err=True)
    if typed not in {name, *seen.indices}:
        raise click.UsageError(f"{typed!r} is not {name!r}. Nothing was deleted.", context)


async def _delete(invocation: Invocation, connector_id: str, *, with_index: bool) -> "Removed":
    from connectors.sync.removal import remove  # noqa: PLC0415 - as above

    async with invocation.workplace() as place:
        connector = await _found(place, connector_id)
        patience = in_time(place.limits.lease_timeout_s)

        def waiting(owner: str) -> None:
            text = (
                f"Waiting for {owner}, which has written to its index, to show whether it is alive (up to {patience})."
            )
            click.echo(text, err=True)

        with telling_of_live(connector):
            return await remove(place, connector, with_indices=with_index, waiting=waiting)


# --- telling it --------------------------------------------------------------------------------------------------


def _described(seen: Seen, removed: "Removed") -> dict[str, Any]:
    return {
        "connector": seen.connector.id,
        "dead_letters": removed.letters,
        "jobs": removed.jobs,
        "records": removed.records,
        "indices": seen.indices,
        "documents": seen.own,
        "earlier_indices": dict(seen.earlier),
        "deleted_indices": list(removed.indices),
    }


def _lines_of(seen: Seen, removed: "Removed") -> Iterator[str]:
    with_it = [counted(removed.letters, "dead letter")] * bool(removed.letters)
    with_it += [counted(removed.jobs, "job")] * bool(removed.jobs)
    rest = f", with {' and '.join(with_it)}" if with_it else ""
    yield f"Deleted the connector {seen.connector.id}{rest}."
    if removed.indices:
        yield f"Deleted the index {', '.join(removed.indices)}, with {counted(seen.total, 'document')}."
    elif seen.indices:
        yield f"The index {seen.where} stays{f', with {_documents(seen.own)} of it' if seen.own else ''}."
    for name, number in seen.earlier.items():
        if number:
            yield f"The index {name}, which it wrote to before, has {_documents(number)} of it."


def _documents(number: int) -> str:
    return counted(number, "document")
