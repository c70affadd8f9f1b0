"""Sources that break one promise each, with the tests of the contract that have to fail for it."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from fractions import Fraction
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import pytest_asyncio

from connectors import logger
from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Upsert
from connectors.configuration import Configuration
from connectors.dataset import Dataset, Key, Row
from connectors.download import Content, Download
from connectors.errors import AccessDenied, ConnectorsError, SourceUnreachable
from connectors.fields import Field, Fields
from connectors.literal import Operator
from connectors.predicate import ALWAYS, Comparison, Predicate, compiled
from connectors.source import Document, Token, Yielded
from connectors.testing.source_contract import Broken, SourceContract
from tests.contracts.source.beads import BeadsDataSource, Colors, PebblesDataSource, Result, RowsDataSource, World

Source = TypeVar("Source", bound=type[PebblesDataSource])
Settings = Mapping[str, object]
C = SourceContract
KEY = "right: a key of some length"
EXPECTED: dict[str, set[str]] = {}
"""The names of the tests that have to fail, for the name of each source."""
SOURCES: list[type[PebblesDataSource]] = [PebblesDataSource, BeadsDataSource, RowsDataSource]
OPENING = [test for name in dir(C) if name.startswith("test_") and iscoroutinefunction(test := getattr(C, name))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made-up")


class MadeUpContract(SourceContract):
    """The contract of a source of beads or pebbles."""

    valid_rules = ({"color": "green"},)
    invalid_rules = ({"color": 1},)
    pages = Path(__file__).parent / "pages"
    settle_limit_s = 0.3
    documents_of_many = 300
    spare_bytes = 100_000
    most_predicates = 90
    most_walks = 20

    @pytest.fixture
    def settings(self, folder: Path) -> Settings:
        return World(9).save(folder / "few", key=KEY)

    @pytest.fixture
    def many(self, folder: Path) -> Settings:
        return World(300).save(folder / "many", key=KEY)

    @pytest.fixture
    def unreachable(self, settings: Settings) -> tuple[Settings, type[ConnectorsError]]:
        return {**settings, "key": "wrong, and as long as that"}, AccessDenied

    @pytest_asyncio.fixture  # as a fixture that starts a server would be
    async def broken(self, folder: Path) -> AsyncIterator[Broken]:  # type: ignore[override]  # pytest makes it a fixture
        settings = await asyncio.to_thread(World(9).save, folder / "broken", key=KEY)

        async def act() -> None:
            await asyncio.to_thread(World(9, bad=4).save, folder / "broken", key=KEY)

        yield Broken(settings, after_first=act, error=SourceUnreachable)

    @pytest.fixture
    def change(self, folder: Path) -> Callable[[], object]:
        return lambda: World(9, coats=2).save(folder / "few", key=KEY)


def breaks(*tests: Callable[..., object]) -> Callable[[Source], Source]:
    """Say for which tests of the contract a source has to fail, which are all that it may fail for."""

    def said(source: Source) -> Source:
        SOURCES.append(source)
        EXPECTED[source.__name__] = {test.__name__ for test in tests}
        return source

    return said


# What it declares.


@breaks(C.test_it_has_a_name_and_a_service_type)
class Nameless(PebblesDataSource):
    name = " "


@breaks(C.test_it_has_a_name_and_a_service_type)
class Typeless(PebblesDataSource):
    service_type = "Pebbles!"


@breaks(C.test_every_field_has_a_label)
class Unlabelled(PebblesDataSource):
    fields = Fields(*PebblesDataSource.fields.values(), Field("size", "", type=int, default=3))


@breaks(
    C.test_defaults_and_examples_pass_the_checks_of_their_fields,
    C.test_the_schema_of_the_settings_accepts_their_example,
)
class Unexampled(PebblesDataSource):
    fields = Fields(*PebblesDataSource.fields.values(), Field("code", "Code", pattern="[0-9]+", required=True))


@breaks(C.test_the_schema_of_the_settings_accepts_their_example)
class NumberAsText(PebblesDataSource):
    fields = Fields(*PebblesDataSource.fields.values(), Field("size", "Size", type=int, default="3"))


@breaks(C.test_the_configuration_has_the_shape_of_the_protocol)
class Misspelt(PebblesDataSource):
    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {name: {**one, "toltip": ""} for name, one in cls.fields.configuration().items()}


@breaks(C.test_the_configuration_has_the_shape_of_the_protocol)
class TwoDeclarations(PebblesDataSource):
    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {"other": {"label": "Other", "type": "str", "value": ""}}


@breaks(C.test_what_it_enables_is_there)
class Boastful(PebblesDataSource):
    incremental_sync_enabled = True


@breaks(C.test_its_page_is_current)
class Outdated(PebblesDataSource):
    service_type = "outdated"


# What it shows.


@breaks(C.test_no_secret_is_shown_by_the_source)
class Showing(PebblesDataSource):
    def __repr__(self) -> str:
        return f"Showing({self.configuration['key'].reveal()})"


@breaks(C.test_no_secret_is_in_an_error)
class Telling(PebblesDataSource):
    async def ping(self) -> None:
        try:
            raise ValueError(self.configuration["key"].reveal())
        except ValueError as error:
            if str(error) != KEY:
                raise AccessDenied("The key is wrong.") from error


@breaks(C.test_no_secret_is_in_an_error)
class TellingInTheWalk(PebblesDataSource):
    async def rows(self) -> AsyncIterator[Row]:
        try:
            async for row in super().rows():
                yield row
        except SourceUnreachable as error:
            raise SourceUnreachable(f"No answer from https://me:{self.configuration['key'].reveal()}@host.") from error


@breaks(C.test_no_secret_is_logged_or_printed)
class Logging(PebblesDataSource):
    async def ping(self) -> None:
        logger.get("connectors.pebbles").debug("It is pinged.", settings=self.configuration["key"].reveal())
        await super().ping()


@breaks(C.test_no_secret_is_logged_or_printed)
class Printing(PebblesDataSource):
    async def ping(self) -> None:
        print(self.configuration["key"].reveal())  # noqa: T201 - that is what is wrong
        await super().ping()


# How it is reached.


@breaks(C.test_making_it_connects_to_nothing)
class Hasty(PebblesDataSource):
    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        if configuration["key"].reveal() != KEY:
            raise AccessDenied("The key is wrong.")


@breaks(
    C.test_making_it_connects_to_nothing, C.test_closing_frees_everything, C.test_a_walk_that_is_cancelled_ends_at_once
)
class Threaded(PebblesDataSource):
    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        threading.Thread(target=threading.Event().wait, args=(30,), daemon=True, name="reader of pebbles").start()


@breaks(
    *{*OPENING}
    - {
        C.test_making_it_connects_to_nothing,
        C.test_ping_fails_with_the_right_error,
        C.test_no_secret_is_in_an_error,
        C.test_no_secret_is_shown_by_the_source,
        C.test_no_secret_is_logged_or_printed,
    }
)
class Shy(BeadsDataSource):
    async def ping(self) -> None:
        raise AccessDenied("Go away.")


@breaks(C.test_ping_fails_with_the_right_error)
class Blind(PebblesDataSource):
    async def ping(self) -> None:
        pass


@breaks(C.test_ping_fails_with_the_right_error)
class Misleading(PebblesDataSource):
    async def ping(self) -> None:
        try:
            await super().ping()
        except AccessDenied:
            raise SourceUnreachable("The key is wrong.") from None


@breaks(C.test_health_answers_what_can_be_shown)
class Unhealthy(PebblesDataSource):
    async def health(self) -> Mapping[str, Any]:
        return {"version": Fraction(1, 3)}


# Its documents.


@breaks(C.test_ids_are_unique_texts_that_an_engine_takes)
class Twins(PebblesDataSource):
    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        async for row in self.rows():
            yield self.pebble(row)
            if row["number"] == 7:
                yield self.pebble(row)


@breaks(C.test_ids_are_unique_texts_that_an_engine_takes)
class Longwinded(PebblesDataSource):
    def pebble(self, row: Row) -> Document:
        return {**super().pebble(row), "_id": "é" * 256 + str(row["number"])}


@breaks(C.test_documents_can_be_written)
class Fractured(PebblesDataSource):
    def pebble(self, row: Row) -> Document:
        return {**super().pebble(row), "parts": [{"size": Fraction(1, 3)}]}


@breaks(C.test_documents_can_be_written)
class Halved(PebblesDataSource):
    def pebble(self, row: Row) -> Document:
        return {**super().pebble(row), "text": "\ud800"}


@breaks(C.test_timestamps_are_instants)
class Vague(PebblesDataSource):
    def pebble(self, row: Row) -> Document:
        return {**super().pebble(row), "_timestamp": "yesterday"}


@breaks(C.test_downloads_give_their_content_each_time)
class Spent(PebblesDataSource):
    def download(self, row: Row) -> Download:
        contents = iter([b"abc"])

        async def fetch() -> Content:
            return next(contents, b"")

        return Download(fetch, size=3)


@breaks(C.test_downloads_give_their_content_each_time)
class Oversized(PebblesDataSource):
    def download(self, row: Row) -> Download:
        return Download(super().download(row), size=4)


@breaks(C.test_the_version_of_content_stays_while_nothing_changes)
class Restless(PebblesDataSource):
    def download(self, row: Row) -> Download:
        return Download(super().download(row), content_version=uuid4().hex)


@breaks(C.test_one_document_is_read_as_the_walk_yields_it)
class Sketchy(BeadsDataSource):
    async def get_doc(self, document_id: str) -> Yielded | None:
        return {"_id": document_id, "color": "green"}


@breaks(C.test_one_document_is_read_as_the_walk_yields_it)
class Upset(BeadsDataSource):
    async def get_doc(self, document_id: str) -> Yielded | None:
        found = await super().get_doc(document_id)
        if found is None:
            raise KeyError(document_id)
        return found


@breaks(C.test_identities_have_ids_and_can_be_written)
class TwoAnns(BeadsDataSource):
    async def get_access_control(self) -> AsyncIterator[Document]:
        for _ in range(2):
            yield {"_id": "ann"}


# Its walk.


@breaks(C.test_each_walk_yields_the_same_documents)
class Counting(PebblesDataSource):
    read_so_far = 0

    def pebble(self, row: Row) -> Document:
        self.read_so_far += 1
        return {**super().pebble(row), "place": self.read_so_far}


@breaks(C.test_closing_frees_everything, C.test_a_walk_that_is_cancelled_ends_at_once)
class Leaking(PebblesDataSource):
    async def ping(self) -> None:
        await super().ping()
        os.open(os.devnull, os.O_RDONLY)


@breaks(C.test_closing_frees_everything)
class LeakingWhenDenied(PebblesDataSource):
    async def ping(self) -> None:
        self.task = asyncio.create_task(asyncio.Event().wait(), name="reader of pebbles")
        await super().ping()
        self.task.cancel()


@breaks(C.test_a_walk_that_is_cancelled_ends_at_once)
class Stubborn(PebblesDataSource):
    async def world(self) -> World:
        try:
            return await super().world()
        except asyncio.CancelledError:
            return await super().world()


@breaks(C.test_a_walk_that_is_cancelled_ends_at_once)
class Slow(PebblesDataSource):
    async def world(self) -> World:
        try:
            return await super().world()
        except asyncio.CancelledError:
            await asyncio.sleep(1.1)
            raise


@breaks(C.test_a_page_that_cannot_be_read_ends_the_walk_with_an_error)
class Hopeful(PebblesDataSource):
    async def rows(self) -> AsyncIterator[Row]:
        try:
            async for row in super().rows():
                yield row
        except SourceUnreachable:
            return


@breaks(C.test_a_page_that_cannot_be_read_ends_the_walk_with_an_error)
class Bare(PebblesDataSource):
    async def rows(self) -> AsyncIterator[Row]:
        try:
            async for row in super().rows():
                yield row
        except SourceUnreachable as error:
            raise OSError(str(error)) from error


# How it tells what changed.


@breaks(C.test_without_a_token_it_may_have_changed)
class Incurious(BeadsDataSource):
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        changed, new = await super().changed(token)
        return changed and token is not None, new


@breaks(C.test_without_a_token_it_may_have_changed)
class OddToken(BeadsDataSource):
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        coats = (await self.world()).coats
        return token is None or token["coats"] != coats, {"coats": coats, "place": (1, 2)}


@breaks(C.test_whether_it_changed_is_answered_by_any_object)
class Private(BeadsDataSource):
    seen = -1

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        before, self.seen = self.seen, (await self.world()).coats
        return self.seen != before, {}


@breaks(C.test_after_a_change_it_says_that_it_changed)
class Content_(BeadsDataSource):  # noqa: N801 - it is content with what it has
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        return token is None, {}


@breaks(C.test_without_a_cursor_everything_is_yielded)
class Partial(BeadsDataSource):
    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        async for one in super().get_docs_incrementally(sync_cursor):
            if not (isinstance(one, Upsert) and one.document["number"] == 8):
                yield one


@breaks(C.test_from_each_cursor_on_nothing_is_missing)
class Skipping(BeadsDataSource):
    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        async for one in super().get_docs_incrementally(sync_cursor):
            yield Checkpoint({**one.cursor, "from": one.cursor["from"] + 1}) if isinstance(one, Checkpoint) else one


@breaks(C.test_after_a_change_the_incremental_walk_yields_it)
class OnlyNew(BeadsDataSource):
    async def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        start = sync_cursor["from"] if sync_cursor else 0
        async for one in super().get_docs_incrementally(sync_cursor):
            if not isinstance(one, Upsert) or one.document["number"] >= start:
                yield one


# What it makes of rules.


@breaks(C.test_no_rule_makes_the_walk_lose_a_document)
class Eager(PebblesDataSource):
    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        test = compiled(filtering.where if filtering is not None else ALWAYS)
        async for row in self.rows():
            if test(row):  # a row is no document: it has no `_id`
                yield self.pebble(row), self.download(row)


class Refusing(Colors):
    def validate(self, advanced_rules: object) -> Result:
        return Result.invalid_result(Result.ADVANCED_RULES, "No.")


class Trusting(Colors):
    def validate(self, advanced_rules: object) -> Result:
        return Result.valid_result(Result.ADVANCED_RULES)


@breaks(C.test_valid_rules_are_valid_and_obeyed)
class Strict(BeadsDataSource):
    def advanced_rules_validators(self) -> Sequence[Any]:
        return [Refusing()]


@breaks(C.test_invalid_rules_are_refused_with_a_reason)
class Lenient(BeadsDataSource):
    def advanced_rules_validators(self) -> Sequence[Any]:
        return [Trusting]


@breaks(C.test_empty_rules_are_no_rules)
class Literal(BeadsDataSource):
    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        if filtering is None or filtering.get_advanced_rules() != []:
            async for one in super().get_docs(filtering):
                yield one


# Its rows.


@breaks(C.test_datasets_have_names_and_keys_of_their_own)
class Unkeyed(BeadsDataSource):
    async def datasets(self) -> Sequence[Dataset]:
        return [Dataset("beads", schema={"properties": {"color": {}}}, primary_key=("number",))]


@breaks(C.test_the_walk_yields_the_rows_as_documents)
class Polished(BeadsDataSource):
    def bead(self, row: Row) -> Document:
        return {**super().bead(row), "polished": True}


@breaks(C.test_only_the_columns_that_are_wanted_are_read)
class Generous(BeadsDataSource):
    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        async for row in super().read(dataset, None, where, after, limit):
            yield row


@breaks(C.test_reading_on_behind_a_key_yields_the_rest, C.test_a_limit_counts_rows_that_match)
class Overlapping(BeadsDataSource):
    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        async for row in super().read(dataset, columns, where, (after[0] - 1,) if after else None, limit):
            yield row


@breaks(C.test_what_matches_is_never_left_out, C.test_a_limit_counts_rows_that_match)
class Narrow(BeadsDataSource):
    def test(self, where: Predicate) -> Any:
        if isinstance(where, Comparison) and where.operator is Operator.GREATER_OR_EQUAL:
            return compiled(Comparison(where.field, Operator.GREATER, where.literal))
        return super().test(where)


@breaks(C.test_what_matches_is_never_left_out, C.test_a_limit_counts_rows_that_match)
class Unfiltering(BeadsDataSource):
    def test(self, where: Predicate) -> Any:
        if isinstance(where, Comparison) and where.operator is Operator.REGEX:
            raise NotImplementedError(where.operator)
        return super().test(where)


@breaks(C.test_a_limit_counts_rows_that_match)
class Curt(BeadsDataSource):
    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        async for row in super().read(dataset, columns, ALWAYS, after, limit):
            yield row


# What it needs.


@breaks(C.test_memory_does_not_grow_with_the_number_of_documents)
class Hoarding(PebblesDataSource):
    async def rows(self) -> AsyncIterator[Row]:
        kept = []
        async for row in super().rows():
            kept.append(row)
            yield row


@breaks(C.test_the_loop_never_stands_still)
class Blocking(PebblesDataSource):
    def pebble(self, row: Row) -> Document:
        if row["number"] == 200:
            time.sleep(0.3)
        return super().pebble(row)
