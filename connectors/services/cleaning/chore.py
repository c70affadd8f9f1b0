"""A chore: work that is done now and then, a bounded part of it at a time."""

from typing import ClassVar, Protocol


class Chore(Protocol):
    """What a janitor does."""

    name: ClassVar[str]
    every_s: ClassVar[float]
    """How long after it was done it has to be done again."""

    async def look(self) -> bool:
        """Do what there is to do, or a part of it, and return whether all is done.

        Raises what is wrong with the engine: then it is called again with the next look, and begins anew.
        """
        ...
