"""The current settings: those that a daemon works with, read again when their file changes or somebody wants it."""

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.config import DEFAULT_PLACE, LoadedSettings, read_settings
from connectors.errors import ConfigurationError
from connectors.settings import Settings

log = logger.get(__name__)
LOOK_EVERY_S: Final = 1.0
Stand = tuple[int, int, int, int]
"""What tells one state of a file from another: of a link, that of the file which it leads to."""


@dataclass
class CurrentSettings:
    """Keeps the settings of a daemon up to date.

    - A file is read when it has changed and not changed again for a moment, and when somebody asks for it.
    - One with faults changes nothing, and each fault is told. So does one that is gone.
    - What can't be other before the daemon is started again stays as it is, and is named.
    """

    now: Settings
    """The settings that count."""
    config: Path | None
    """The file that was asked for; without one it is `config.yml` in the working folder, if there is one."""
    clock: Clock
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _asked: bool = False
    _was_there: bool = False
    _looked_at: Stand | None = None
    _read: Stand | None = None

    def ask(self) -> None:
        """Have the file read with the next look, changed or not."""
        self._asked = True

    async def run(self, adopt: Callable[[Settings], Awaitable[None]]) -> None:
        """Look each second until cancelled; `adopt` is awaited with settings that are other than before."""
        while True:
            found = self.look()
            if found is not None:
                await adopt(found)
            await self.clock.sleep(LOOK_EVERY_S)

    def look(self) -> Settings | None:
        """Return the settings if they are other than before."""
        before, stand = self._looked_at, _stand_of(self._path)
        self._looked_at = stand
        has_changed = stand != self._read and stand == before
        if not (has_changed or self._asked):
            return None
        is_asked, self._asked = self._asked, False
        self._read = stand
        self._was_there = self._was_there or stand is not None
        loaded = self._loaded(required=self.config is not None or self._was_there)
        return self._adopted(loaded.settings, is_asked=is_asked) if loaded is not None else None

    @property
    def _path(self) -> Path:
        return self.config or DEFAULT_PLACE

    def _loaded(self, *, required: bool) -> LoadedSettings | None:
        try:
            loaded = read_settings(self._path if required else None, self.environ)
            problems = [str(one) for one in loaded.problems]
            if not problems:
                return loaded
        except ConfigurationError as error:
            problems = [f"{error.field}: {error}" if error.field else str(error)]
        for problem in problems:
            log.error("The settings were read again and are wrong, so those from before stay.", problem=problem)
        return None

    def _adopted(self, wanted: Settings, *, is_asked: bool) -> Settings | None:
        before, self.now = self.now, merged(self.now, wanted)
        changed, waiting = list(differing(before, self.now)), list(differing(self.now, wanted))
        if changed:
            log.info("The settings were read again.", changed=changed)
        if waiting:
            log.warning("Settings count only when the daemon is started again.", settings=waiting)
        if is_asked and not changed and not waiting:
            log.info("The settings were read again, and nothing has changed.")
        return self.now if changed else None


def merged(running: Settings, wanted: Settings) -> Settings:
    """Return the wanted settings, but for what can't change while a daemon runs.

    That is the engine and the storage, to which everything is connected, and what all processes have to agree on.
    """
    sync = replace(wanted.sync, heartbeat_timeout_s=running.sync.heartbeat_timeout_s)
    if sync.concurrency > running.engine.data_connections:
        sync = replace(sync, concurrency=running.sync.concurrency)
    return replace(wanted, engine=running.engine, storage=running.storage, sync=sync)


def differing(one: Settings, other: Settings) -> Iterator[str]:
    """Yield the names of the settings in which two differ."""
    for section in fields(Settings):
        mine, theirs = getattr(one, section.name), getattr(other, section.name)
        if is_dataclass(mine):
            names = (part.name for part in fields(mine))
            yield from (f"{section.name}.{name}" for name in names if getattr(mine, name) != getattr(theirs, name))
        elif mine != theirs:
            yield section.name


def _stand_of(path: Path) -> Stand | None:
    """Return how a file stands; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
