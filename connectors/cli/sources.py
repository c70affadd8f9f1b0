"""`connectors sources`: which sources there are, what each can do and how it is configured."""

import json
from collections.abc import Iterable
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import click

from connectors.cli import table
from connectors.cli.invocation import Invocation

if TYPE_CHECKING:
    from connectors.registry import Listing


@click.group(invoke_without_command=True, short_help="List the sources that there are, or show one.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def sources(context: click.Context, *, as_json: bool) -> None:
    """List the sources that there are, or show one of them."""
    if context.invoked_subcommand is None:
        _list(context.obj, as_json=as_json)
    elif as_json:
        raise click.UsageError(f"Put --json behind {context.invoked_subcommand}.", context)


@sources.command()
@click.argument("service_type")
@click.option(
    "--json", "form", flag_value="json", help="Print its configuration, schema, example and features as JSON."
)
@click.option("--markdown", "form", flag_value="markdown", help="Print its page of the documentation.")
@click.pass_obj
def show(invocation: Invocation, service_type: str, form: str | None) -> None:
    """Show what a source is configured with and what it can do."""
    registry = invocation.registry
    listing = registry.listing(service_type)
    if listing.source is None:
        registry.source(service_type)  # which says why there is none
    elif form == "markdown":
        from connectors.registry.page import page_of  # noqa: PLC0415 - loaded only where it is wanted

        click.echo(page_of(listing.source, registry.places[service_type]), nl=False)
    elif form == "json":
        click.echo(json.dumps(_described(listing, listing.source), indent=2, ensure_ascii=False, default=str))
    else:
        _show(listing, listing.source)


def _list(invocation: Invocation, *, as_json: bool) -> None:
    listings = invocation.registry.listings()
    if as_json:
        click.echo(json.dumps([_summary(one) for one in listings], indent=2, ensure_ascii=False))
        return
    rows = [
        [one["service_type"], one["name"], ", ".join(one["can"]), one["found_in"], state_of(listing)]
        for one, listing in ((_summary(listing), listing) for listing in listings)
    ]
    table.show(["SERVICE TYPE", "NAME", "WHAT IT CAN", "FOUND IN", "STATE"], rows)


def state_of(listing: "Listing") -> str:
    """Return in words whether a source can be used, why not, and what to do about it."""
    if listing.available:
        return "available"
    return " ".join(
        ["unavailable:", listing.reason or "", *([f"Install it: {listing.install}"] if listing.install else [])]
    )


def _summary(listing: "Listing") -> dict[str, Any]:
    from connectors.registry.profile import Profile  # noqa: PLC0415 - as above

    profile = Profile.of(listing.source, listing.service_type) if listing.source else None
    return {
        "service_type": listing.service_type,
        "name": profile.name if profile else "",
        "can": list(profile.abilities) if profile else [],
        "found_in": listing.found_in,
        "available": listing.available,
        "reason": listing.reason,
        "install": listing.install,
    }


def _described(listing: "Listing", source: type[Any]) -> dict[str, Any]:
    from connectors.registry.profile import Profile, advanced_schemas  # noqa: PLC0415 - as above

    profile = Profile.of(source, listing.service_type)
    return {
        **_summary(listing),
        "description": "\n\n".join(profile.paragraphs),
        "features": profile.features,
        "configuration": profile.configuration,
        "schema": profile.fields.schema(),
        "example": profile.fields.example(),
        "advanced_rules_schemas": advanced_schemas(source),
    }


def _show(listing: "Listing", source: type[Any]) -> None:
    from connectors.registry.page import field_rows  # noqa: PLC0415
    from connectors.registry.profile import Profile  # noqa: PLC0415 - as above

    profile = Profile.of(source, listing.service_type)
    click.echo(f"{click.style(profile.name, bold=True)} ({listing.service_type}), of {listing.found_in}")
    _tell(profile.paragraphs)
    click.echo()
    if profile.fields:
        header = ["SETTING", "LABEL", "TYPE", "DEFAULT", "REQUIRED", "NOTES"]
        table.show(header, [astuple(row) for row in field_rows(profile.fields)])
    else:
        click.echo("It has no settings.")
    _tell([f"What it can: {', '.join(profile.abilities) or 'nothing'}.", f"State: {state_of(listing)}"])


def _tell(paragraphs: Iterable[str]) -> None:
    """Print paragraphs, an empty line before each, wrapped where there is a terminal and they are no lists."""
    width = table.width_of_terminal()
    for text in paragraphs:
        plain = not any(line.startswith((" ", "- ", "* ", "|")) for line in text.splitlines())
        click.echo()
        click.echo(text if width is None or not plain else "\n".join(table.wrapped(text, width)))
