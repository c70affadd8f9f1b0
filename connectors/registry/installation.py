"""The installation of a source: what it can't do without, and the command that brings it."""

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

OURS: Final = "connectors"
"""The name of the distribution that this is."""


def own_distribution() -> Distribution | None:
    """Return what is known of this program as an installed package; None where it runs without being installed."""
    try:
        return distribution(OURS)
    except PackageNotFoundError:
        return None


def missing_drivers(drivers: Mapping[str, str]) -> dict[str, str]:
    """Return those of the modules that are not there, each with the name by which it is installed."""
    return {module: name for module, name in drivers.items() if not _is_there(module)}


def install_command(service_type: str, names: Iterable[str], package: Distribution | None) -> str | None:
    """Return what to type: the package's extra of that source if it has one, else the names; None without either."""
    extra = extra_of(service_type, package)
    if package is not None and extra is not None:
        return f"pip install '{package.name}[{extra}]'"
    wanted = [shlex.quote(name) for name in names]
    return " ".join(["pip install", *wanted]) if wanted else None


def extra_of(service_type: str, package: Distribution | None) -> str | None:
    """Return the extra that is named after a source, spelled as the package does, which old installers insist on."""
    extras = package.metadata.get_all("Provides-Extra") if package is not None else None
    return next((extra for extra in extras or () if _normal(extra) == _normal(service_type)), None)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).casefold()


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
    except ValueError:  # it is loaded, by something that says nothing of where from
        return module in sys.modules
