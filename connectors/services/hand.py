"""A hand: one worker process as its daemon sees it: started, told which jobs to run, and heard until it ends."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors import logger
from connectors.aio.clock import Clock
from connectors.sync.owner.instance import Instance

log = logger.get(__name__)
LONGEST_LINE: Final = 2**20


@dataclass(eq=False)
class Hand:
    """A process that runs jobs.

    `serve` runs it until it ends, for whatever reason; `jobs` are those that it was given and that have not ended.
    When its daemon goes, its standard input ends, and so does it: no worker outlives its daemon.
    """

    clock: Clock
    command: Sequence[str]
    alone: bool = False
    """Whether it runs one job that may be what killed a process before."""
    jobs: set[str] = field(default_factory=set)
    heard_at: float = 0.0
    instance: Instance | None = None
    _process: Process | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
