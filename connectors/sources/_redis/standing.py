"""Where a server stands: what INFO says, and whether its keys can have changed since it said something else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

SETTLED_S: Final = 2
"""A save is told by its second: another one in the same second would look the same."""
_NUMBERS: Final = ("rdb_last_save_time", "rdb_changes_since_last_save", "expired_keys", "evicted_keys")
_TEXTS: Final = ("run_id", "master_replid")
_MORE: Final = ("rdb_saves", "expired_subkeys", "aof_enabled", "aof_current_size", "aof_base_size", "aof_rewrites")
"""What not every version has, and no server has sometimes."""


@dataclass(frozen=True)
class Standing:
    """What a server says of itself."""

    info: Mapping[str, str]

    @classmethod
    def of(cls, reply: bytes) -> "Standing":
        """Return what an answer to INFO holds."""
        lines = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
        return cls({name: value.strip() for name, colon, value in lines if colon})

    @property
    def run_id(self) -> str | None:
        """What it has drawn when it was started."""
        return self.info.get("run_id")

    @property
    def version(self) -> tuple[int, ...]:
        """The version of Redis that it is, or is like."""
        parts = self.info.get("redis_version", "").split(".")
        return tuple(int(one) for one in parts if one.isdigit())

    @property
    def is_of_cluster(self) -> bool:
        """Whether it is a node of a cluster."""
        return self.info.get("cluster_enabled") == "1"

    @cached_property
    def databases(self) -> Mapping[int, Mapping[str, int]]:
        """The databases that have keys, each with the numbers that are told of it: `keys`, `expires`."""
        found: dict[int, Mapping[str, int]] = {}
        for name, value in self.info.items():
            number = name.removeprefix("db")
            if name != number and number.isdigit():
                pairs = (part.partition("=") for part in value.split(","))
                found[int(number)] = {key: int(one) for key, _, one in pairs if one.isdigit()}
        return found

    @property
    def now_ms(self) -> int | None:
        """The time of its clock."""
        text = self.info.get("server_time_usec", "")
        return int(text) // 1000 if text.isdigit() else None

    @property
    def token(self) -> dict[str, Any] | None:
        """All that stays the same as long as no key changes but by its expiry; None where that can't be said.

        Every write moves the number of changes since the last save, or is followed by a save that sets it back and
        moves the time of the last one. Keys that expire or are evicted are fewer keys then, whatever becomes of the
        counters. What a replica is sent as a whole counts as no change, so only a primary can tell; and a server
        that does not say where its program is may be one that is managed, whose numbers may mean something else.
        """
        info, now_ms = self.info, self.now_ms
        numbers = {name: int(info[name]) for name in _NUMBERS if info.get(name, "").isdigit()}
        texts = {name: info[name] for name in _TEXTS if info.get(name)}
        is_one = info.get("role") == "master" and info.get("redis_mode") == "standalone"
        is_whole = info.get("loading") == "0" and info.get("async_loading", "0") == "0"
        is_own = info.get("executable", "").startswith("/")
        if len(numbers) < len(_NUMBERS) or len(texts) < len(_TEXTS) or not (is_one and is_whole and is_own):
            return None
        if now_ms is None or now_ms // 1000 - numbers["rdb_last_save_time"] <= SETTLED_S or self._has_dying_fields:
            return None
        counts = {str(number): [one.get("keys"), one.get("expires")] for number, one in self.databases.items()}
        return {**numbers, **texts, **{name: info.get(name) for name in _MORE}, "databases": counts}

    @property
    def _has_dying_fields(self) -> bool:
        """Whether fields of hashes expire by themselves, as they may since 7.4: nobody can tell which is the next."""
        return any(one.get("subexpiry") for one in self.databases.values())
