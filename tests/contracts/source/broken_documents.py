"""Sources that break what is promised of one before it is walked, and of its documents."""

import threading
from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from typing import Any
from uuid import uuid4

from connectors import logger
from connectors.byoc import Filter
from connectors.dataset import Row
from connectors.download import Content, Download
from connectors.errors import AccessDenied, SourceUnreachable
from connectors.fields import Configuration, Field, Fields
from connectors.source import Document, Yielded
from connectors.testing.source_contract import SourceContract
from tests.contracts.source.beads import BeadsDataSource, PebblesDataSource
from tests.contracts.source.made_up import KEY, OPENING, breaks

C = SourceContract

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
        C.test_a_walk_goes_on_behind_each_of_its_checkpoints,  # it has documents of its own
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
