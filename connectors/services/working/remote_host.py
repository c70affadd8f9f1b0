"""The remote host: which machine a job reads from, as the settings of its connector name it."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.store.job import SyncJob

NAMED_BY: Final = ("host", "hostname", "url", "uri", "server", "ip", "endpoint")
"""The last word of a setting's name that says where the source is: of several settings the first of these counts."""
ON_THE_WAY: Final = frozenset({"proxy", "callback", "redirect", "extraction"})
"""Words in the names of settings that name other machines than the one that is read."""
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def host_of(job: SyncJob) -> str | None:
    """Return the name or address of the host that a job reads from; None where its settings name none.

    It is found in the settings that are no secrets, and is the same however it is written: in upper or lower case, by
    itself or in an address with a scheme, a user, a port and a path. Which port that is makes no difference.
    """
    snapshot = job.document.get("connector")
    settings = snapshot.get("configuration") if isinstance(snapshot, Mapping) else None
    if not isinstance(settings, Mapping):
        return None
    named = sorted((NAMED_BY.index(word), name) for name in settings if (word := _word_of(name)) is not None)
    hosts = (_host_in(_value_of(settings[name], settings)) for _, name in named)
    return next((host for host in hosts if host is not None), None)


def _word_of(name: object) -> str | None:
    words = [word.lower() for word in _WORD.findall(name)] if isinstance(name, str) else []
    return words[-1] if words and words[-1] in NAMED_BY and ON_THE_WAY.isdisjoint(words) else None


def _value_of(setting: object, settings: Mapping[str, Any]) -> object:
    """Return the value of a setting; None of one that is secret, or that does not count as others are."""
    if not isinstance(setting, Mapping):
        return setting
    needed = setting.get("depends_on")
    for one in needed if isinstance(needed, list) else []:
        if isinstance(one, Mapping) and _plain(settings.get(str(one.get("field")))) != one.get("value"):
            return None
    return None if setting.get("sensitive") else _plain(setting)


def _plain(setting: object) -> object:
    return setting.get("value") if isinstance(setting, Mapping) else setting


def _host_in(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    try:
        host = urlsplit(text if _SCHEME.match(text) else f"//{text}").hostname or ""
    except ValueError:
        return None
    return host.partition("\\")[0].rstrip(".") or None  # what is behind it names an instance of a database
