"""One field of an index, and what one document holds in its fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.engine.embedded.mapping.field_types import FieldType, Value


@dataclass(frozen=True)
class Field:
    """A leaf of a mapping, multi-fields included; `parameters` is what `GET _mapping` shows of it."""

    path: str
    type: FieldType
    indexed: bool
    doc_values: bool
    parameters: Mapping[str, Any]

    @property
    def searchable(self) -> bool:
        """Return whether queries can ask for its values: in the index, or slowly in the doc values."""
        return self.type.searchable and (self.indexed or self.doc_values)


@dataclass(frozen=True)
class Entries:
    """What one document adds to the index.

    `values` holds the values of each field as doc values do: sorted, those of keywords without repetitions. `texts`
    holds the texts of each text field in the order of the document.
    `present` names the paths that exist without either.
    """

    values: Mapping[str, tuple[Value, ...]]
    texts: Mapping[str, tuple[str, ...]]
    present: frozenset[str]
