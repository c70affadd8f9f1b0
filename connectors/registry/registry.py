"""The registry: finds sources in config.yml, in connectors/sources/ and in installed packages; imports them late."""

import difflib
import importlib
import pkgutil
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from connectors.errors import ConfigurationError
from connectors.registry.installation import install_command, missing_drivers, own_distribution
from connectors.registry.profile import Profile
from connectors.source_class import fields_of, has

GROUP: Final = "connectors.sources"
"""The group of entry points by which an installed package says that it has sources."""


class Origin(StrEnum):
    """Where a source is found, in the order in which these places are asked."""

    SETTINGS = "config.yml"
    PROJECT = "connectors/sources"
    PACKAGE = "package"


@dataclass(frozen=True)
class Listing:
    """A source that was found: its class, or why it can't be used, and what to type to change that.

    The class is there beside a reason when nothing but a driver is missing.
    """

    service_type: str
    origin: Origin
    package: str | None = None
    source: type | None = None
    reason: str | None = None
    install: str | None = None

    @property
    def available(self) -> bool:
        """Whether it can be used."""
        return self.reason is None

    @property
    def found_in(self) -> str:
        """Where it was found, in words."""
        return f"{self.origin} {self.package}" if self.package else str(self.origin)


@dataclass(frozen=True)
class Place:
    """Where a source should be; nothing of it is imported yet. Without an attribute the class is looked for."""

    service_type: str
    origin: Origin
    module: str
    attribute: str = ""
    package: Distribution | None = field(default=None, compare=False)


class Unusable(Exception):
    """What was imported is no source; the message says why."""


class Registry:
    """The sources by their service type. What config.yml names comes before ours, and ours before installed packages.

    Names are found without importing anything, a source is imported when it is asked for, and one that can't be
    imported is listed with the reason and disturbs no other.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, *, home: str = "connectors.sources") -> None:
        self._settings = settings or {}
        self._home = home
        self._listings: dict[str, Listing] = {}

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Where each source is, in the order of their names."""
        found: dict[str, Place] = {}
        for places in (self._in_settings(), self._at_home(), self._in_packages()):
            for place in places:
                found.setdefault(place.service_type, place)
        return dict(sorted(found.items()))

    def listings(self) -> list[Listing]:
        """Return every source with its class or the reason why there is none. Imports all of them."""
        return [self._listing_at(place) for place in self.places.values()]

    def listing(self, service_type: str) -> Listing:
        """Return what is known of one source. Raises a `ConfigurationError` when there is none of that name."""
        place = self.places.get(service_type)
        if place is None:
            message = f"There is no source {service_type!r}."
            raise ConfigurationError(message, field="service_type", hint=nearest(service_type, self.places))
        return self._listing_at(place)

    def source(self, service_type: str) -> type[Any]:
        """Return the class of a source. Raises a `ConfigurationError` when there is none that can be used."""
        found = self.listing(service_type)
        if found.source is None or found.reason is not None:
            hint = f"Install it: {found.install}" if found.install else None
            message = f"The source {service_type!r} of {found.found_in} can't be used: {found.reason}"
            raise ConfigurationError(message, field="service_type", hint=hint)
        return found.source

    def sensitive(self, service_type: str | None) -> Mapping[str, bool]:
        """Return which settings of a source are secret; nothing of one that can't be had here."""
        try:
            fields = fields_of(self.source(service_type or ""))
        except ConfigurationError:
            return {}
        return {name: fields[name].sensitive for name in fields}

    def _in_settings(self) -> Iterator[Place]:
        for service_type, text in self._settings.items():
            module, _, attribute = text.partition(":")
            ours = own_distribution() if module.startswith("connectors.") else None
            yield Place(service_type, Origin.SETTINGS, module, attribute, ours)

    def _at_home(self) -> Iterator[Place]:
        for module in pkgutil.iter_modules(importlib.import_module(self._home).__path__):
            if not module.name.startswith("_"):
                yield Place(module.name, Origin.PROJECT, f"{self._home}.{module.name}", package=own_distribution())

    def _in_packages(self) -> Iterator[Place]:
        def order(one: EntryPoint) -> str:
            return one.dist.name if one.dist is not None else ""

        for one in sorted(entry_points(group=GROUP), key=order):
            module, _, attribute = one.value.partition("[")[0].partition(":")
            yield Place(one.name, Origin.PACKAGE, module.strip(), attribute.strip(), one.dist)

    def _listing_at(self, place: Place) -> Listing:
        if place.service_type not in self._listings:
            self._listings[place.service_type] = _listing_of(place)
        return self._listings[place.service_type]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what somebody who named something that there is not may have meant, or else what there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names) or 'none'}."


def _listing_of(place: Place) -> Listing:
    package = place.package.name if place.package is not None and place.origin is Origin.PACKAGE else None
    listing = Listing(place.service_type, place.origin, package)
    try:
        source = _class_at(place)
        profile = Profile.of(source, place.service_type)
        missing = missing_drivers(profile.drivers)
    except KeyboardInterrupt:
        raise
    except Unusable as error:
        return replace(listing, reason=str(error))
    except ModuleNotFoundError as error:
        return _without_module(listing, place, error.name or str(error))
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's module raises is the state of that source alone
        return replace(listing, reason=_told(error))
    if not missing:
        return replace(listing, source=source)
    install = install_command(place.service_type, missing.values(), place.package)
    return replace(listing, source=source, reason=_missing(*missing), install=install)


def _class_at(place: Place) -> type:
    module = importlib.import_module(place.module)
    source = _class_named(module, place.attribute) if place.attribute else _class_in(module, place.service_type)
    lacking = list(_lacking(source))
    if lacking:
        raise Unusable(f"{source.__name__} lacks {', '.join(lacking)}.")
    return source


def _class_named(module: ModuleType, path: str) -> type:
    found: object = module
    for name in path.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, type):
        raise Unusable(f"{module.__name__} has no class {path}.")
    return found


def _class_in(module: ModuleType, service_type: str) -> type:
    """Return the class of that service type; where one of them is made of another, the one that is not built upon."""
    classes = {one for one in vars(module).values() if isinstance(one, type)}
    named = [one for one in classes if getattr(one, "service_type", None) == service_type]
    found = [one for one in named if not any(other is not one and issubclass(other, one) for other in named)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(one.__name__ for one in found))
    many = f"several classes with the service_type {service_type!r}: {names}" if found else None
    raise Unusable(f"{module.__name__} has {many or f'no class with the service_type {service_type!r}'}.")


def _lacking(source: type) -> Iterator[str]:
    if not hasattr(source, "get_default_configuration") and not hasattr(source, "fields"):
        yield "fields"
    if not has(source, "ping"):
        yield "ping()"
    if not has(source, "get_docs") and not (has(source, "datasets") and has(source, "read")):
        yield "get_docs(), or datasets() and read()"


def _without_module(listing: Listing, place: Place, name: str) -> Listing:
    """Say which module is missing, and how to install it unless it is our own or the source's."""
    top = name.partition(".")[0]
    if top == "connectors" or f"{place.module}.".startswith(f"{name}."):
        return replace(listing, reason=_missing(name))
    # A package of which only a part is missing is not installed by its name.
    names = missing_drivers({top: top}).values()
    return replace(listing, reason=_missing(name), install=install_command(place.service_type, names, place.package))


def _missing(*modules: str) -> str:
    return f"The module{'s' if len(modules) > 1 else ''} {', '.join(modules)} can't be found."


def _told(error: BaseException) -> str:
    """Return what was raised while a source was imported, and by which line."""
    told = f"{type(error).__name__}: {error}".rstrip(": ")
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:  # which says itself where it is
        return f"It can't be imported: {told}."
    return f"It can't be imported: {told} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})."
