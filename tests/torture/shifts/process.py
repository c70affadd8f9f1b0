"""A process that is none: what a crew believes to have started, killed and heard, in this event loop."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.services.working.crew import Crew
from connectors.services.working.hand import Hand
from connectors.services.working.messages import Ended, FromWorker, Ready, ToWorker, heard, line_of
from connectors.services.working.process import Bench
from connectors.store.jobs import JobStore
from connectors.sync.owner.instance import Instance
from tests.torture.chaos.network import Line
from tests.torture.chaos.process import Host, WatchedCopies, engine_over, workplace

if TYPE_CHECKING:
    from connectors.aio.clock import Clock
    from tests.torture.shifts.stage import Stage

KILLED = -9


class Mouth(io.BytesIO):
    """What a process writes its messages to."""

    def __init__(self, hear: Callable[[FromWorker], None]) -> None:
        super().__init__()
        self._hear = hear

    def write(self, line: bytes) -> int:  # type: ignore[override]
        """Let the daemon hear it."""
        self._hear(heard(line))
        return len(line)


@dataclass(eq=False)
class StagedProcess:
    """The bench of one process on a line of its own."""

    stage: "Stage"
    clock: "Clock"
    hear: Callable[[FromWorker], None]
    line: Line = field(init=False)
    lines: asyncio.StreamReader = field(default_factory=asyncio.StreamReader)
    task: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.stage.workers += 1
        self.number = self.stage.workers
        self.line = Line(f"worker {self.number}")
        self.instance = Instance(f"host of worker {self.number}", "", self.number, "")

    def start(self) -> None:
        """Begin to serve."""
        stage = self.stage
        host = Host(self.line.name, stage.folder / self.line.name, self.clock, stage.limits)
        engine = engine_over(stage.network, self.line, self.clock)
        copies = WatchedCopies(host.folder)
        place = workplace(engine, host, stage.source_on(self.line), copies, self.instance)
        bench = Bench(place, JobStore(engine.control, self.clock), Mouth(self._say))
        stage.book.begins(str(self.instance), self.line)
        self.task = asyncio.create_task(bench.serve(self.lines), name=self.line.name)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.stage.network.close(self.line)
        self.stage.book.dies(str(self.instance))
        if self.task is not None:
            self.task.cancel()

    def _say(self, message: FromWorker) -> None:
        if not self.line.dead:
            self.hear(message)


@dataclass(eq=False)
class StagedHand(Hand):
    """A hand whose process is staged. When its daemon is gone its process hears no more, and ends by itself."""

    stage: "Stage | None" = None
    clock: "Clock | None" = None
    process: StagedProcess | None = None
    orphaned: bool = False
    to_say: list[ToWorker] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return self.process.number if self.process is not None else None

    @property
    def silent_s(self) -> float:
        """For how long it has said nothing, in virtual time."""
        return asyncio.get_running_loop().time() - self.heard_at

    async def serve(self) -> int:
        """Run the process to its end."""
        assert self.stage is not None
        assert self.clock is not None
        self.heard_at = asyncio.get_running_loop().time()
        self.process = process = StagedProcess(self.stage, self.clock, self._hear)
        process.start()
        assert process.task is not None
        try:
            while self.to_say:
                self._say(self.to_say.pop(0))
            await asyncio.wait([process.task])
            if not process.task.cancelled() and (error := process.task.exception()) is not None:
                raise error
            return KILLED if process.task.cancelled() else 0
        finally:
            if not process.task.done() and not self.orphaned:
                process.kill()
            if not process.line.dead and process.task.done():
                self.stage.book.dies(str(process.instance))
            self.process = None

    def kill(self, why: str | None = None) -> None:
        """End it at once."""
        if self.process is not None:
            self.why = self.why or why
            self.process.kill()

    def _say(self, message: ToWorker) -> None:
        if self.process is None:
            self.to_say.append(message)
        elif not self.orphaned:
            self.process.lines.feed_data(line_of(message))

    def _hear(self, message: FromWorker) -> None:
        if self.orphaned:
            return
        self.heard_at = asyncio.get_running_loop().time()
        self.told(message)
        match message:
            case Ready():
                self.instance = message.instance
            case Ended():
                self.jobs.discard(message.job)
                self.ended()


class StagedCrew(Crew):
    """A crew whose processes are staged."""

    stage: "Stage"

    @classmethod
    def in_place_of(cls, crew: Crew, stage: "Stage") -> "StagedCrew":
        """Return one that tells whom the other would tell."""
        found = cls((), crew.size, crew.died, crew.told, crew.silent_after_s, crew.stop_within_s, clock=crew.clock)
        found.stage = stage
        return found

    @property
    def hands(self) -> list[StagedHand]:
        """Its hands."""
        return [hand for hand in self._hands if isinstance(hand, StagedHand)]

    def _hand(self, *, alone: bool = False) -> Hand:
        hand = StagedHand((), self._job_ended, self.told, alone, stage=self.stage, clock=self.clock)
        self._hands.append(hand)
        return hand
