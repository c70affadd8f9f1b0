"""Messages between a daemon and its worker processes: one line of JSON each."""

from typing import Final

import msgspec


class Run(msgspec.Struct, frozen=True, tag="run"):
    """To a worker: claim this job and run it."""

    job: str


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To a worker: suspend what you run, and end."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: it has what it needs to run jobs. `instance` is how others know it."""

    instance: str


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """From a worker: its event loop turns."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """From a worker: a job has ended, or could not be claimed."""

    job: str


class Hung(msgspec.Struct, frozen=True, tag="hung"):
    """From a worker: something in it can't be ended but with the process, which ends now; and why."""

    why: str


ToWorker = Run | Stop
FromWorker = Ready | Alive | Ended | Hung
_encode: Final = msgspec.json.Encoder().encode
_to_worker: Final = msgspec.json.Decoder(ToWorker)
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
