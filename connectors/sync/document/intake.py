"""The intake: what a document goes through between its source and the comparison with the index."""

from dataclasses import dataclass

from connectors.predicate import Test
from connectors.sync.document.prepared import Preparer
from connectors.sync.document.shape import Shape


@dataclass(frozen=True)
class Intake:
    """The rules that decide whether a document is kept, and what makes bytes of it."""

    prepare: Preparer
    shape: Shape
    keeps: Test | None = None
    """The basic rules; None where there are none."""
