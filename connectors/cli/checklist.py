"""A checklist: steps that are tried one after the other, each told as it ends, with what to do where it failed."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import click

from connectors.cli import table
from connectors.errors import ConfigurationError, ConnectorsError

State = Literal["ok", "failed", "skipped"]
INDENT: Final = 20
_COLORS: Final = {"ok": "green", "failed": "red", "skipped": "yellow"}


class Skipped(Exception):
    """Raised by a step that there is nothing to try of; the message says why."""


@dataclass(frozen=True)
class Step:
    """One thing that was tried: what was found, or what is wrong and what to do about it."""

    name: str
    state: State
    found: str
    hint: str | None = None
    took_ms: int = 0


@dataclass
class Checklist:
    """Tries steps. A step whose needs were not met is skipped, and says so."""

    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    error: ConnectorsError | None = None
    """Of the first step that failed."""

    async def step(self, name: str, act: Callable[[], Awaitable[str]], *, needs: Sequence[str] = ()) -> None:
        """Try something that says what it found, or raises what is wrong."""
        missing = [one.name for one in self.steps if one.name in needs and one.state != "ok"]
        if missing:
            self._end(Step(name, "skipped", f"needs {' and '.join(missing)}"))
            return
        started = time.perf_counter()
        try:
            found = await act()
        except Skipped as reason:
            self._end(Step(name, "skipped", str(reason)))
        except ConnectorsError as error:
            self.error = self.error or error
            self._end(Step(name, "failed", error.message, error.hint, _since(started)))
        else:
            self._end(Step(name, "ok", found, None, _since(started)))

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0 if nothing failed, 2 if what failed first is a setting, else 1."""
        if self.error is None:
            return 0
        return 2 if isinstance(self.error, ConfigurationError) else 1

    def _end(self, step: Step) -> None:
        self.steps.append(step)
        self.tell(step)


def show(step: Step) -> None:
    """Print a step for a person."""
    state = click.style(step.state.ljust(7), fg=_COLORS[step.state])
    took = f" ({step.took_ms} ms)" if step.state == "ok" else ""
    width = table.width_of_terminal()
    told = [*f"{step.found}{took}".splitlines(), *(step.hint or "").splitlines()]
    first, *others = [
        line for text in told for line in ([text] if width is None else table.wrapped(text, width - INDENT))
    ]
    click.echo(f"{state}  {step.name:<9}  {first}")
    for line in others:
        click.echo(f"{'':<{INDENT}}{line}")


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
