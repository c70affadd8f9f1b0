"""Shape and recipe: hashes of all that decides what a source's documents become in the index."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from connectors.filtering.rules import Rules
from connectors.filtering.validation import AdvancedRules
from connectors.sync.document.encoding import encoded
from connectors.sync.index.pipeline import Pipeline

FORMATS: Final[Mapping[str, int]] = {"document": 1, "mark": 1}
"""The versions of how a document is converted and of the mark. A higher one has every document written again."""


@dataclass(frozen=True)
class Shape:
    """All that shapes a document besides its source.

    `configuration` is what `Configuration.shaping()` returns: the address of a server, secrets and sizes of pages
    never count. `extraction` says how contents become text.
    """

    service_type: str
    configuration: Mapping[str, object] = field(default_factory=dict, hash=False)
    advanced_rules: AdvancedRules = field(default_factory=dict, hash=False)
    pipeline: Pipeline | None = None
    extraction: Mapping[str, object] = field(default_factory=dict, hash=False)
    formats: Mapping[str, int] = field(default_factory=lambda: FORMATS, hash=False)

    @cached_property
    def seed(self) -> int:
        """64 bits, the same in every process: what the metadata of documents is hashed with."""
        return xxh3_64_intdigest(encoded(self.parts))

    @cached_property
    def content_seed(self) -> int:
        """The same of what shapes contents alone, so that a change of anything else fetches none of them again."""
        return xxh3_64_intdigest(encoded({"extraction": self.extraction, "formats": self.formats}))

    @property
    def parts(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "service_type": self.service_type,
            "configuration": self.configuration,
            "advanced_rules": self.advanced_rules,
            "pipeline": None if self.pipeline is None else {"name": self.pipeline.name, **self.pipeline.fields},
            "extraction": self.extraction,
            "formats": self.formats,
        }


@dataclass(frozen=True)
class Recipe:
    """The shape and the basic rules: as long as it is the same, a completed sync stands for what a new one would do."""

    shape: Shape
    rules: Rules = Rules()

    @cached_property
    def digest(self) -> str:
        """128 bits in hexadecimal, the same in every process. Ids and dates of rules, and what they are called, no."""
        rules = [
            [rule.policy, rule.comparison.field, rule.comparison.operator, rule.comparison.literal.text]
            for rule in self.rules.rules
        ]
        return xxh3_128_hexdigest(encoded({"shape": self.shape.parts, "rules": rules}))
