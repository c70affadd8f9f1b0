"""How a source is reached: making it connects to nothing, and `ping` says whether it can be read."""

import time
from typing import Any, Final

from connectors.errors import ConnectorsError
from connectors.testing.source.case import SourceCase
from connectors.testing.source.held import Held
from connectors.testing.source.promise import fail, promise
from connectors.testing.source.serializable import faults_of
from connectors.testing.source.subject import Settings, Subject

TRIES: Final = 3
LONGEST_MAKING_S: Final = 0.1


class Reach(SourceCase):
    """Making, `ping` and `health`."""

    async def test_making_it_connects_to_nothing(
        self, subject: Subject, settings: Settings, unreachable: tuple[Settings, type[Exception]]
    ) -> None:
        """It is made where nobody waits for it, with settings that nobody has checked."""
        before, made, took = Held.now(), [], []
        for given in (settings, unreachable[0]):
            for _ in range(TRIES):
                start = time.perf_counter()
                try:
                    made.append(subject.made(given))
                except Exception as error:  # noqa: BLE001 - whatever is raised is too early
                    text = f"{subject.name}(configuration) raised {error!r}"
                    fail(f"{text}: keep the configuration, and use it in ping() and after.")
                took.append(time.perf_counter() - start)
        held = Held.now().beyond(before)
        promise(not held, f"Making {subject.name} opened {held}: connect in __aenter__ or where it is needed first.")
        slow = f"Making {subject.name} took {min(took):.2f} s: leave the work to where it is needed first."
        promise(min(took) < LONGEST_MAKING_S, slow)

    async def test_ping_succeeds(self, subject: Subject, settings: Settings) -> None:
        """With the settings of a source that is there."""
        async with subject.checked(settings) as source:
            try:
                await source.ping()
            except Exception as error:  # noqa: BLE001 - whatever is raised is wrong
                fail(f"{subject.name}.ping() failed with the fixture `settings`: {error!r}")

    async def test_ping_fails_with_the_right_error(
        self, subject: Subject, unreachable: tuple[Settings, type[ConnectorsError]]
    ) -> None:
        """The error decides whether it is tried again or a person has to help, and tells that person what to do."""
        settings, wanted = unreachable
        promise(
            issubclass(wanted, ConnectorsError),
            "The second part of the fixture `unreachable` is a class of connectors.errors.",
        )
        caught: Exception | None = None
        try:
            async with subject.opened(settings):
                pass
        except Exception as error:  # noqa: BLE001 - whatever is raised is compared
            caught = error
        what = f"{subject.name}.ping() with the settings of `unreachable`"
        promise(caught is not None, f"{what} succeeded: raise {wanted.__name__}.")
        promise(isinstance(caught, wanted), f"{what} raised {caught!r}: raise {wanted.__name__}.")
        promise(str(caught).strip(), f"{what} raised {wanted.__name__} without a message: say what happened.")

    async def test_health_answers_what_can_be_shown(self, subject: Subject, settings: Settings) -> None:
        """A mapping that can be written as JSON."""
        async with subject.opened(settings) as source:
            health: Any = await source.health() if hasattr(source, "health") else {}
        promise(hasattr(health, "keys"), f"{subject.name}.health() returned {health!r}: return a mapping.")
        for fault in faults_of(health):
            fail(f"{subject.name}.health(): {fault}")
