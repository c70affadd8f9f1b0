"""Messages between a daemon and its worker processes: one line of JSON each."""

from typing import Any, Final, Self

import msgspec

from connectors.engine.traffic import Traffic
from connectors.secret import Secret
from connectors.settings import Settings
from connectors.sync.report import SyncReport

LONGEST_LINE: Final = 2**20
FROM_DAEMON: Final = "-"
"""What a process is given instead of a settings file, when it is to `Begin` with those that it is told."""


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """To a worker, before all else: the settings to work with. Secrets are in it; it goes through the pipe alone."""

    settings: Settings


class Run(msgspec.Struct, frozen=True, tag="run"):
    """To a worker: claim this job and run it."""

    job: str


class Look(msgspec.Struct, frozen=True, tag="look"):
    """To a worker: have the live sync that this job is look at its connector and at the other jobs of that."""

    job: str


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To a worker: suspend what you run, and end."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: it has what it needs to run jobs. `instance` is how others know it."""

    instance: str


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """From a worker: its event loop turns."""


class Progress(msgspec.Struct, frozen=True, tag="progress", omit_defaults=True, kw_only=True):
    """From a worker: how far a job has come, as its report counts; once a second at most, and before it ends."""

    job: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    dropped: int = 0
    superseded: int = 0
    letters: int = 0
    deleted: int = 0
    held: int = 0
    content_failed: int = 0
    sent_bytes: int = 0
    downloaded_bytes: int = 0
    behind_since: float | None = None
    """Of a live sync: since when something came that is not written yet, in seconds of the epoch."""

    @classmethod
    def of(cls, job: str, report: SyncReport) -> Self:
        """Return what a report says now."""
        counters = report.counters()
        since = report.behind_since or (report.caught_up_at if report.phase != "live" else None)
        behind_since = since.timestamp() if since is not None else None
        counted = {name: counters[name] for name in cls.__struct_fields__ if name in counters}
        return cls(job=job, behind_since=behind_since, **counted)


class Hung(msgspec.Struct, frozen=True, tag="hung"):
    """From a worker: something in it can't be ended but with the process, which ends now; and why."""

    why: str


class Requests(msgspec.Struct, frozen=True, tag="requests"):
    """From a worker: what it has sent to the engine since it said so last, by lane."""

    lanes: dict[str, Traffic]


class Ended(msgspec.Struct, frozen=True, tag="ended", omit_defaults=True):
    """From a worker: a job has ended, or could not be claimed; then it has no status."""

    job: str
    status: str | None = None


ToWorker = Begin | Run | Look | Stop
FromWorker = Ready | Alive | Progress | Requests | Ended | Hung


def _plain(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _made(kind: type[Any], value: object) -> object:
    made: object = kind(value)
    return made


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode
_to_worker: Final = msgspec.json.Decoder(ToWorker, dec_hook=_made)
_from_worker: Final = msgspec.json.Decoder(FromWorker)


def line_of(message: ToWorker | FromWorker) -> bytes:
    """Return a message as it is sent."""
    return _encode(message) + b"\n"


def told(line: bytes) -> ToWorker:
    """Return what a daemon said. Raises `msgspec.DecodeError` for what is no message."""
    message: ToWorker = _to_worker.decode(line)
    return message


def heard(line: bytes) -> FromWorker:
    """Return what a worker said. Raises `msgspec.DecodeError` for what is no message."""
    message: FromWorker = _from_worker.decode(line)
    return message
