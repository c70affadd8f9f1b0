"""What a source never shows: the values of its sensitive fields."""

import secrets
import traceback
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.testing.source.case import SourceCase
from connectors.testing.source.printed import printed
from connectors.testing.source.promise import applies, promise
from connectors.testing.source.subject import Broken, Settings, Subject, done

SHORTEST_SECRET: Final = 12
"""A shorter one in the given settings may well occur in other words, and is not looked for."""


@dataclass
class Said:
    """All that was said while a source was made, pinged and read, and the secrets that it was given."""

    secrets: set[str] = field(default_factory=set)
    shown: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    async def listen(self, subject: Subject, given: Broken) -> None:
        """Make, ping and read a source, and write down what it says, whatever happens."""
        names = [name for name, one in subject.fields.items() if one.sensitive]
        values = (str(given.settings.get(name) or "") for name in names)
        self.secrets |= {value for value in values if len(value) >= SHORTEST_SECRET}
        with printed() as out:
            try:
                self._look_at(subject.made(given.settings))
                async with subject.opened(given.settings) as source:
                    self._look_at(source)
                    await _read(source, given)
            except Exception as error:  # noqa: BLE001 - whatever is raised is looked at
                self.errors.append("".join(traceback.format_exception(error)) + _reprs(error))
        self.printed.append(out.getvalue())

    def _look_at(self, source: object) -> None:
        self.shown += [repr(source), str(source)]

    def exposed_in(self, texts: list[str]) -> str:
        """Return the first line of these texts that holds a secret, with `<secret>` in its place."""
        for secret in self.secrets:
            for text in texts:
                for line in text.splitlines():
                    if secret in line:
                        return line.replace(secret, "<secret>").strip()
        return ""


class Secrecy(SourceCase):
    """The values of sensitive fields are in the requests that need them and nowhere else."""

    async def _said(self, subject: Subject, *given: Settings | Broken) -> Said:
        names = [name for name, one in subject.fields.items() if one.sensitive]
        applies(names, "no field is sensitive")
        said = Said()
        for one in map(Broken.of, given):
            planted = secrets.token_hex(16)
            said.secrets.add(planted)
            wrong = {**one.settings, **dict.fromkeys(names, planted)}
            await said.listen(subject, Broken(wrong))
            await said.listen(subject, one)
        return said

    async def test_no_secret_is_shown_by_the_source(self, subject: Subject, settings: Settings) -> None:
        """`repr` and `str` end up in logs."""
        said = await self._said(subject, settings)
        found = said.exposed_in(said.shown)
        promise(not found, f"The source shows a secret: {found}\nLeave it out of __repr__ and __str__.")

    async def test_no_secret_is_in_an_error(
        self,
        subject: Subject,
        settings: Settings,
        unreachable: tuple[Settings, type[Exception]],
        broken: Settings | Broken,
    ) -> None:
        """Neither in an error nor in one that it was raised from; a driver's message may hold what it was given."""
        said = await self._said(subject, settings, unreachable[0], broken)
        found = said.exposed_in(said.errors)
        hint = "Raise an error of the tree with a message of your own, `from None` where the driver's error shows it."
        promise(not found, f"An error shows a secret: {found}\n{hint}")

    async def test_no_secret_is_logged_or_printed(
        self,
        subject: Subject,
        settings: Settings,
        unreachable: tuple[Settings, type[Exception]],
        broken: Settings | Broken,
    ) -> None:
        """At no level."""
        said = await self._said(subject, settings, unreachable[0], broken)
        found = said.exposed_in(said.printed)
        promise(not found, f"A secret is logged or printed: {found}\nLog no settings, or `configuration` as a whole.")


async def _read(source: Any, given: Broken) -> None:  # noqa: ANN401 - any source
    action = given.after_first
    async with aclosing(source.get_docs(None)) as yielded:
        async for _ in yielded:
            if action is not None:
                await done(action)
                action = None


def _reprs(error: BaseException) -> str:
    """Return how an error and all that it was raised from look to `repr`."""
    lines, seen = "", set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            lines += f"\n{one!r} {one.args!r}"
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return lines
