"""What a validator of sync rules is, and what it says: the names that every source knows."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

WireRule = Mapping[str, Any]
AdvancedRules = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True)
class SyncRuleValidationResult:
    """Whether a rule is valid, and why not. The advanced rules go by one id, as if they were one rule."""

    ADVANCED_RULES: ClassVar[str] = "advanced_snippet"

    rule_id: str
    is_valid: bool
    validation_message: str = ""

    @classmethod
    def valid_result(cls, rule_id: str) -> "SyncRuleValidationResult":
        """Return that a rule is valid."""
        return cls(rule_id, is_valid=True)

    @classmethod
    def invalid_result(cls, rule_id: str, message: str) -> "SyncRuleValidationResult":
        """Return that a rule is not valid, and why."""
        return cls(rule_id, is_valid=False, validation_message=message)


@dataclass(frozen=True)
class RuleError:
    """What is wrong with a rule, or with what else goes by its id."""

    ids: tuple[str, ...]
    messages: tuple[str, ...]

    def wire(self) -> dict[str, list[str]]:
        """Return it as a connector document has it."""
        return {"ids": list(self.ids), "messages": list(self.messages)}


@dataclass(frozen=True)
class FilteringValidation:
    """Whether a whole set of rules is valid, and all that is wrong with it: what a connector document says of it."""

    errors: tuple[RuleError, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors

    @property
    def state(self) -> Literal["valid", "invalid"]:
        """The state, as the protocol calls it."""
        return "valid" if self.is_valid else "invalid"

    def wire(self) -> dict[str, Any]:
        """Return it as a connector document has it."""
        return {"state": self.state, "errors": [error.wire() for error in self.errors]}


Results = SyncRuleValidationResult | Sequence[SyncRuleValidationResult]
"""What a validator returns: one result or several."""


class AdvancedRulesValidator(ABC):
    """Checks the advanced rules of a source. It is called only where there are any."""

    @abstractmethod
    def validate(self, advanced_rules: AdvancedRules) -> Results | Awaitable[Results]:
        """Say whether the advanced rules are valid; may be async, and then may ask the source.

        Called whenever rules were edited and once before each sync. What it raises is reported as an error of this
        validator, and the rules are not valid then.
        """


class BasicRuleValidator(ABC):
    """Checks one basic rule at a time, as it stands in the connector document."""

    @classmethod
    @abstractmethod
    def validate(cls, rule: WireRule) -> Results | Awaitable[Results]:
        """Say whether a rule is valid; called for every rule but the default one."""


class BasicRulesSetValidator(ABC):
    """Checks all basic rules together, in the order in which they decide."""

    @classmethod
    @abstractmethod
    def validate(cls, set_of_rules: Sequence[WireRule]) -> Results | Awaitable[Results]:
        """Say whether the rules go together; called once, without the default rule."""
