"""Sources that break what is promised of walks, of rules and rows, and of what a walk needs."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Upsert
from connectors.dataset import Dataset, Key, Row
from connectors.errors import SourceUnreachable
from connectors.literal import Operator
from connectors.predicate import ALWAYS, Comparison, Predicate, compiled
from connectors.source import Document, Token, Yielded
from connectors.testing.source_contract import SourceContract
from tests.contracts.source.beads import BeadsDataSource, Colors, GravelDataSource, PebblesDataSource, Result, World
from tests.contracts.source.made_up import breaks

C = SourceContract

# Its walk.


@breaks(C.test_each_walk_yields_the_same_documents)
class Counting(PebblesDataSource):
    read_so_far = 0

    def pebble(self, row: Row) -> Document:
        self.read_so_far += 1
        return {**super().pebble(row), "place": self.read_so_far}


@breaks(C.test_a_walk_goes_on_behind_each_of_its_checkpoints)
class SkippingOne(GravelDataSource):
    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Yielded | Checkpoint]:
        behind = None if cursor is None else {"number": cursor["number"] + 1}
        async for one in super().get_docs_from(behind, filtering):
            yield one


@breaks(C.test_a_walk_goes_on_behind_each_of_its_checkpoints)
class BeginningAnew(GravelDataSource):
    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Yielded | Checkpoint]:
        async for one in super().get_docs_from(None, filtering):
            yield one


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
        _, new = await super().changed(None)
        odd = {**(new or {}), "place": (1, 2)}
        return token not in (odd, {**odd, "place": [1, 2]}), odd


@breaks(C.test_whether_it_changed_is_answered_by_any_object)
class Private(BeadsDataSource):
    seen = -1

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        before, self.seen = self.seen, (await self.world()).coats
        return self.seen != before, {}


@breaks(
    C.test_after_a_change_it_says_that_it_changed,
    C.test_after_a_document_is_gone_it_says_that_it_changed,
    C.test_of_two_changes_in_one_second_the_second_is_seen,
    C.test_a_change_in_the_middle_of_a_walk_is_seen_the_next_time,
    C.test_a_token_that_it_never_gave_out_counts_as_a_change,
)
class Content_(BeadsDataSource):  # noqa: N801 - it is content with what it has
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        return token is None, {}


@breaks(C.test_after_a_document_is_gone_it_says_that_it_changed, C.test_of_two_changes_in_one_second_the_second_is_seen)
class Unmissing(BeadsDataSource):
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        new = {"coats": (await self.world()).coats}
        return token != new, new


@breaks(C.test_of_two_changes_in_one_second_the_second_is_seen)
class Coarse(BeadsDataSource):
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        new = {"modified_at": int((self.folder / "world").stat().st_mtime)}
        return token != new, new


@breaks(C.test_a_change_in_the_middle_of_a_walk_is_seen_the_next_time)
class Late(BeadsDataSource):
    seen: Token | None = None

    async def rows(self) -> AsyncIterator[Row]:
        async for row in super().rows():
            yield row
        _, self.seen = await super().changed(None)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        return await super().changed(self.seen or token)


@breaks(C.test_a_token_that_it_never_gave_out_counts_as_a_change)
class Gullible(BeadsDataSource):
    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        _, new = await super().changed(None)
        return token is None or any(new.get(name) != one for name, one in token.items() if new and name in new), new


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


# Its ids.


@breaks(C.test_ids_are_those_of_a_walk, C.test_basic_rules_keep_the_same_ids)
class Forgetful(BeadsDataSource):
    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        async for one in super().get_ids(filtering):
            if one["_id"] != "beads/2":
                yield one


@breaks(C.test_ids_are_those_of_a_walk)
class Scattered(BeadsDataSource):
    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        async for one in super().get_ids(filtering):
            yield {**one, "dataset": "elsewhere"} if filtering is None else one


@breaks(C.test_basic_rules_keep_the_same_ids)
class Meager(BeadsDataSource):
    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        async for one in super().get_ids(filtering):
            yield {"_id": one["_id"], "dataset": one["dataset"]}


@breaks(C.test_advanced_rules_ask_for_the_same_ids)
class Disobedient(BeadsDataSource):
    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        rules = Filter({"rules": []}) if filtering is not None and filtering.has_advanced_rules() else filtering
        async for one in super().get_ids(rules):
            yield one


@breaks(C.test_ids_that_cannot_be_read_to_their_end_are_an_error)
class Careless(BeadsDataSource):
    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        try:
            async for one in super().get_ids(filtering):
                yield one
        except SourceUnreachable:
            return


@breaks(C.test_ids_that_cannot_be_read_to_their_end_are_an_error)
class Wordless(BeadsDataSource):
    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document]:
        try:
            async for one in super().get_ids(filtering):
                yield one
        except SourceUnreachable as error:
            raise OSError(str(error)) from error


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
