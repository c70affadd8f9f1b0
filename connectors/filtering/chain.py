"""The chain of validators that the rules of a connector go through before they decide anything."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.errors import ConfigurationError
from connectors.fields import Configuration
from connectors.filtering.asking import Asking, Scope, Validate, name_of, scope_of, settled, validate_of
from connectors.filtering.basic import faults_of_default
from connectors.filtering.findings import BASIC_RULES, Findings
from connectors.filtering.rule import DEFAULT_ID, id_of, is_default, order_of
from connectors.filtering.snippet import advanced_rules_of
from connectors.filtering.validation import (
    AdvancedRules,
    FilteringValidation,
    SyncRuleValidationResult,
    WireRule,
)
from connectors.filtering.validators import Methods, Validators, listed
from connectors.wording import shown

LIMIT_S: Final = 30.0
"""How long a validator may take to answer, for all rules together."""
DOMAIN: Final = "DEFAULT"
"""The only domain of rules that there is."""
_ADVANCED: Final = SyncRuleValidationResult.ADVANCED_RULES
_TURN: Final = 100
"""After how many rules other tasks get their turn."""


@dataclass(frozen=True)
class ValidatedRules:
    """A rule set of a connector, and what the validators say of it.

    `path` is where it stands in the connector's `filtering`: `(0, "draft")`. It is shorter where that leads to no rule
    set, as nothing of the right shape stands there.
    """

    path: tuple[int | str, ...]
    validation: FilteringValidation


async def validate_all(source: object, filtering: object, *, limit_s: float = LIMIT_S) -> tuple[ValidatedRules, ...]:
    """Validate every active and draft rule set of a connector document's `filtering`.

    Raises when it is cancelled only.
    """
    found = []
    for path, rules in _rule_sets(filtering):
        wrong = isinstance(rules, ConfigurationError)
        validation = _refused(str(rules)) if wrong else await validate(source, rules, limit_s=limit_s)
        found.append(ValidatedRules(path, validation))
    return tuple(found)


async def validate(source: object, filtering: object, *, limit_s: float = LIMIT_S) -> FilteringValidation:
    """Say whether one rule set, `{"rules": [...], "advanced_snippet": {...}}`, is valid for a source, and why not.

    Every validator is asked, whatever the others say. One that fails, says nothing or takes longer than the limit is
    an error of its own. Raises when it is cancelled only.
    """
    if not isinstance(filtering, Mapping):
        return _refused(f"The filtering is {shown(filtering)}, not an object.")
    chain = _Chain(source, limit_s)
    await chain.ask_about_basic(filtering.get("rules"))
    try:
        snippet = advanced_rules_of(filtering)
    except ConfigurationError as error:
        chain.findings.add(_ADVANCED, str(error))
    else:
        if snippet:
            await chain.ask_about_advanced(snippet)
    return chain.findings.validation()


def _rule_sets(filtering: object) -> Iterator[tuple[tuple[int | str, ...], object]]:
    """Yield the rule sets of the only domain with their paths, and an error for what should lead to some."""
    if filtering is None:
        return
    if not isinstance(filtering, list | tuple):
        yield (), ConfigurationError(f"The filtering is {shown(filtering)}, not a list.", field="filtering")
        return
    for place, one in enumerate(filtering):
        if not isinstance(one, Mapping):
            message = f"filtering[{place}] is {shown(one)}, not an object."
            yield (place,), ConfigurationError(message, field="filtering")
        elif one.get("domain") == DOMAIN:
            yield from (((place, name), one[name]) for name in ("active", "draft") if one.get(name) is not None)


def _refused(message: str) -> FilteringValidation:
    findings = Findings()
    findings.add(BASIC_RULES, message)
    return findings.validation()


class _Chain:
    """The validators of one source, asked about one rule set."""

    def __init__(self, source: object, limit_s: float) -> None:
        self.findings = Findings()
        self._validators = Validators(source)
        configuration = getattr(source, "configuration", None)
        mask = configuration.masked if isinstance(configuration, Configuration) else str
        self._asking = Asking(self.findings, limit_s, mask)

    async def ask_about_basic(self, wire: object) -> None:
        """Ask the validators of basic rules about them."""
        if wire is not None and not isinstance(wire, list | tuple):
            self.findings.add(BASIC_RULES, f"The basic rules are {shown(wire)}, not a list.")
        rules = self._well_shaped(wire if isinstance(wire, list | tuple) else ())
        for validator in await self._listed(self._validators.of_basic_rules, BASIC_RULES):
            work = self._about_basic(validator, rules)
            await self._asking.within_limit(name_of(validator), BASIC_RULES, work)

    async def ask_about_advanced(self, rules: AdvancedRules) -> None:
        """Ask the validators of advanced rules about them."""
        if not self._validators.has_advanced_rules:
            self.findings.add(_ADVANCED, f"{self._validators.source_name} has no advanced rules. Remove them.")
        for validator in await self._listed(self._validators.of_advanced_rules, _ADVANCED):
            work = self._about_advanced(validator, rules)
            await self._asking.within_limit(name_of(validator), _ADVANCED, work)

    def _well_shaped(self, wire: Sequence[object]) -> list[tuple[str, WireRule]]:
        """Return the rules that validators are asked about, each with the id by which messages name it."""
        for fault in faults_of_default(wire):
            self.findings.add(DEFAULT_ID, fault)
        rules = []
        for place, rule in enumerate(wire):
            own = id_of(rule) or f"rules[{place}]"
            if not isinstance(rule, Mapping):
                self.findings.add(own, f"{own} is {shown(rule)}, not an object.")
            elif not is_default(rule):
                rules.append((own, rule))
                if not self._validators.has_basic_rules:
                    self.findings.add(own, f"{self._validators.source_name} has no basic rules. Remove this one.")
        return rules

    async def _listed(self, methods: Methods, own: str) -> list[object]:
        """Return the validators that these methods of the source return, each once."""
        validators: list[object] = []

        async def gather(method: Callable[[], object], name: str) -> None:
            async def call() -> list[object]:
                return listed(await settled(method()))

            for one in await self._asking.answer(name, own, call) or ():
                if not any(one is other for other in validators):
                    validators.append(one)

        for name, method in methods.items():
            await self._asking.within_limit(f"{name}()", own, gather(method, f"{name}()"))
        return validators

    async def _about_basic(self, validator: object, rules: Sequence[tuple[str, WireRule]]) -> None:
        name = name_of(validator)

        async def resolved() -> tuple[Validate, Scope]:
            validate = validate_of(validator)
            return validate, scope_of(validator, validate)

        match await self._asking.answer(name, BASIC_RULES, resolved):
            case (validate, Scope.ALL):
                deciding = sorted((rule for _, rule in rules), key=order_of)
                await self._asking.ask(name, validate, deciding, BASIC_RULES)
            case (validate, Scope.EACH):
                for place, (own, rule) in enumerate(rules, 1):
                    await self._asking.ask(name, validate, rule, own)
                    if place % _TURN == 0:
                        await asyncio.sleep(0)

    async def _about_advanced(self, validator: object, rules: AdvancedRules) -> None:
        name = name_of(validator)

        async def resolved() -> Validate:
            return validate_of(validator)

        validate = await self._asking.answer(name, _ADVANCED, resolved)
        if validate is not None:
            await self._asking.ask(name, validate, rules, _ADVANCED)
