"""Chance: what is decided at random, and is decided so again by the same seed."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance(random.Random):
    """A source of decisions."""

    def maybe(self, probability: float) -> bool:
        """Return whether it happens."""
        return self.random() < probability

    def one(self, things: Sequence[T]) -> T:
        """Return one of these."""
        return things[self.randrange(len(things))]

    def some(self, things: Sequence[T], most: int, least: int = 1) -> list[T]:
        """Return a few of these, each at most once."""
        most = min(most, len(things))
        return self.sample(list(things), self.randint(min(least, most), most))
