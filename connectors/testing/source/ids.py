"""Ids that are read alone: those of a walk, whatever the rules, or documents would be deleted that are there."""

from contextlib import aclosing
from typing import Any

import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset
from connectors.errors import ConnectorsError
from connectors.source import Document
from connectors.source_class import can_list_ids, has
from connectors.testing.source.case import SourceCase
from connectors.testing.source.promise import applies, promise
from connectors.testing.source.rules import advanced_of, problems_of, rules_about
from connectors.testing.source.subject import Broken, Settings, Subject, done
from connectors.testing.source.walked import documents_of


class Ids(SourceCase):
    """`get_ids`, which a sync that only deletes goes by."""

    @pytest.fixture
    def ids_needed(self) -> None:
        """Skip what is about ids for a source that does not read them alone."""
        applies(can_list_ids(self.source), "it has no get_ids(), and no rows to make one of")

    @pytest.mark.usefixtures("ids_needed")
    async def test_ids_are_those_of_a_walk(self, subject: Subject, settings: Settings) -> None:
        """And a document is of the same dataset: one that has none any more is a reason to ask somebody."""
        async with subject.opened(settings) as source:
            documents = await documents_of(source)
            found = await _ids_of(source)
        _promise_same(set(documents), set(found), "")
        for id_, one in found.items():
            here, there = one.get("dataset"), documents[id_].get("dataset")
            promise(here == there, f"get_ids() says that {id_!r} is of the dataset {here!r}, and get_docs() {there!r}.")

    @pytest.mark.usefixtures("ids_needed")
    async def test_basic_rules_keep_the_same_ids(self, subject: Subject, settings: Settings) -> None:
        """Each document has the fields that they look at, with the values that it has in a walk."""
        applies(getattr(self.source, "basic_rules_enabled", True), "it has no basic rules")
        async with subject.opened(settings) as source:
            documents = await documents_of(source)
            for wire in rules_about(list(documents.values()), self.most_walks):
                if await problems_of(source, rules=wire):
                    continue  # as the framework does not obey them either
                filtering = Filter({"rules": wire})
                keeps = filtering.basic_rules.keeps
                found = {id_ for id_, one in (await _ids_of(source, filtering)).items() if keeps(one)}
                wanted = {id_ for id_, one in documents.items() if keeps(one)}
                text = " / ".join(f"{one['policy']} {one['field']} {one['rule']} {one['value']!r}" for one in wire)
                _promise_same(wanted, found, f" under the rules {text}")

    @pytest.mark.usefixtures("ids_needed")
    async def test_advanced_rules_ask_for_the_same_ids(self, subject: Subject, settings: Settings) -> None:
        """A source with `get_docs_by_rules` is not asked for ids then."""
        is_asked = getattr(self.source, "advanced_rules_enabled", False) and not has(self.source, "get_docs_by_rules")
        applies(is_asked, "it has no advanced rules, or is not asked for ids under them")
        async with subject.opened(settings) as source:
            for rules in self.valid_rules:
                filtering = Filter(advanced_of(rules))
                wanted = set(await documents_of(source, filtering))
                _promise_same(wanted, set(await _ids_of(source, filtering)), f" under the advanced rules {rules!r}")

    @pytest.mark.usefixtures("ids_needed")
    async def test_ids_that_cannot_be_read_to_their_end_are_an_error(
        self, subject: Subject, broken: Settings | Broken
    ) -> None:
        """What is not yielded is deleted."""
        given = Broken.of(broken)
        caught: Exception | None = None
        found: set[str] = set()
        async with subject.opened(given.settings) as source:
            try:
                async with aclosing(source.get_ids(None)) as yielded:
                    async for one in yielded:
                        if isinstance(one, Dataset):
                            continue
                        found.add(_id_of(one))
                        if len(found) == 1 and given.after_first is not None:
                            await done(given.after_first)
            except Exception as error:  # noqa: BLE001 - whatever is raised is compared
                caught = error
        ended = f"get_ids() of `broken` ended after {len(found)} documents as if that were all: raise what went wrong."
        promise(caught is not None, ended)
        promise(
            isinstance(caught, ConnectorsError), f"get_ids() of `broken` raised {caught!r}: raise one of our errors."
        )


async def _ids_of(source: Any, filtering: Filter | None = None) -> dict[str, Document]:  # noqa: ANN401 - any source
    """Return what `get_ids` yields, by id."""
    found: dict[str, Document] = {}
    async with aclosing(source.get_ids(filtering)) as yielded:
        async for one in yielded:
            if isinstance(one, Dataset):
                continue
            promise(isinstance(one, dict | Failed), f"get_ids() yielded {one!r}: yield dicts, a Failed, or a Dataset.")
            found[_id_of(one)] = one if isinstance(one, dict) else {}
    return found


def _id_of(one: Document | Failed) -> str:
    found = one.id if isinstance(one, Failed) else one.get("_id")
    promise(isinstance(found, str), f"get_ids() yielded {one!r}, which has no `_id` that is a text.")
    return str(found)


def _promise_same(wanted: set[str], found: set[str], where: str) -> None:
    lost = next(iter(sorted(wanted - found)), None)
    promise(lost is None, f"get_ids(){where} leaves out {lost!r}, which is there: it would be deleted.")
    more = next(iter(sorted(found - wanted)), None)
    promise(more is None, f"get_ids(){where} yields {more!r}, which get_docs() does not: it would never be deleted.")
