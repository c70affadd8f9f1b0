"""The contract of a source: what the author of a connector writes, and what the framework makes of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from connectors import logger
from connectors.byoc import Filter
from connectors.changes import Change, Checkpoint, Cursor, Document, Failed, Single, Yielded
from connectors.dataset import Dataset, Key, Row, apart, document_id
from connectors.fields import Configuration, Fields
from connectors.filtering.basic import DEFAULT_VALIDATORS
from connectors.filtering.validation import AdvancedRules
from connectors.filtering.validators import Validators
from connectors.literal import instant_of
from connectors.predicate import ALWAYS, Predicate
from connectors.row_walk import closing_walk, documents_behind, pushed
from connectors.storage import Storage

Token = Mapping[str, Any]
"""What a source remembers of the moment of a walk: JSON that only the source understands."""
GIVEN_FIELDS: Final = frozenset({"_id", "dataset"})
MOST_REMARKS: Final = 20
_NO_DOCUMENTS: Final = (Checkpoint, Dataset)

__all__ = ["BaseDataSource", "Document", "Single", "Token", "Yielded"]
log = logger.get(__name__)


class BaseDataSource:
    """Reads one kind of remote system.

    A source declares `fields` and writes `ping` and either `get_docs` or, where it has rows, `datasets` and `read`.
    Everything else has a default or is optional; a class with the same methods works without this one as its base.

    One object reads for one job: it is made, entered (`async with`), checked, pinged and read, all in one event loop,
    and nothing of it is kept for the next. Making it connects to nothing. Blocking calls go into threads.

    Errors come from `connectors.errors` and steer what happens:

    - `SourceUnreachable` and `Throttled(retry_after_s)`: the same call is made again after a pause, a few times, unless
      it is a generator that has yielded something; then the job ends in error and keeps its checkpoint.
    - `AccessDenied` and `ConfigurationError(field)`: the job ends in error at once, and a person has to help.
    - `DocumentSkipped(reason)` in a download: the document is indexed without its content, and reported.
    - Anything else: the job ends in error. Whatever happens in a walk, nothing is deleted then.

    So a source contains no retry loop and no sleep, and never swallows an error: a generator that ends says that it has
    seen everything, and what it has not yielded is deleted from the index.
    """

    is_contract: ClassVar[bool] = True
    """That what stands in this very class is the contract: no source has it as a method of its own."""
    name: ClassVar[str] = ""
    """What people call it: `MySQL`."""
    service_type: ClassVar[str] = ""
    """What connector documents call it: the name of its file, its fixture and its page too."""
    fields: ClassVar[Fields] = Fields()
    """Its settings. A class may override `get_default_configuration` instead."""
    drivers: ClassVar[Mapping[str, str]] = {}
    """The modules it can't do without, each with the name by which it is installed: imported where they are used."""

    basic_rules_enabled: ClassVar[bool] = True
    advanced_rules_enabled: ClassVar[bool] = False
    """Whether it has advanced rules; one that brings validators for them need not say so."""
    dls_enabled: ClassVar[bool] = False
    incremental_sync_enabled: ClassVar[bool] = False
    native_connector_api_keys_enabled: ClassVar[bool] = True

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.configuration})"

    @cached_property
    def storage(self) -> Storage:
        """What the source remembers between jobs: tokens, ETags, delta links. It is there when the constructor runs.

        In a job it holds the values of the connector; a source that was made by itself, as in a test, has one in
        memory.
        """
        return Storage.in_memory()

    @cached_property
    def remarks(self) -> list[str]:
        """What the source has remarked so far."""
        return []

    def remark(self, text: str) -> None:
        """Have the job say a sentence that helps to understand what it read, and that nobody has to act upon.

        To be called at any time, also for each row: a sentence is said once, whatever is secret in it is masked, and of
        very many the first are kept.
        """
        said = self.configuration.masked(text)
        if said not in self.remarks and len(self.remarks) < MOST_REMARKS:
            self.remarks.append(said)
            log.info("The source remarks something.", remark=said)

    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        """Return the configuration of a new connector, as a connector document has it. Made of `fields`."""
        return cls.fields.configuration()

    @classmethod
    def features(cls) -> dict[str, Any]:
        """Return what a connector document says of the features of its source."""
        has_advanced = Validators(cls).has_advanced_rules
        return {
            "sync_rules": {"basic": {"enabled": cls.basic_rules_enabled}, "advanced": {"enabled": has_advanced}},
            "document_level_security": {"enabled": cls.dls_enabled},
            "incremental_sync": {"enabled": cls.incremental_sync_enabled},
            "native_connector_api_keys": {"enabled": cls.native_connector_api_keys_enabled},
        }

    # The life of a source.

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back connections, threads and files. Called once at the end, in the middle of a walk too."""

    async def validate_config(self) -> None:
        """Check what no field can check alone. Called after the checks of the fields, before `ping`, once a job.

        Raises `ConfigurationError(field)`.
        """

    async def ping(self) -> None:
        """Reach the source with the least that shows that its address and credentials are right.

        Called once a job before anything is read, and when a connector is new or its configuration changed. Raises
        `SourceUnreachable`, `AccessDenied` or `ConfigurationError(field)`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no ping().")

    async def health(self) -> Mapping[str, Any]:
        """Return what a person should know of the source's state (versions, quotas). Called when somebody asks."""
        await self.ping()
        return {}

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Return whether a walk could yield anything else than at the token's moment, and the token of this moment.

        Called before each full sync with the token that was taken before the last completed one, by any process. It
        may say yes too often, and never no wrongly: then the sync is skipped. Without a token the answer is yes.
        """
        del token, filtering  # a source that can tell has a use for them
        return True, None

    # Reading documents.

    async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Yielded]:
        """Yield every document, alone or with a download, to the end or until an error.

        Called once in a full sync. A document is a dict with an `_id`, unique in the walk, and best a `_timestamp`; one
        that is there and can't be read is a `Failed(id, reason)`. What comes behind a `Dataset` is of that one: when
        all documents of one are gone, their deletion is held. Advanced rules are for the source to obey; basic ones
        may be used to fetch less. Made of `datasets` and `read` where a source has these.
        """
        async with closing_walk(documents_behind(self, await self.datasets(), None, filtering)) as documents:
            async for one in documents:
                if not isinstance(one, _NO_DOCUMENTS):
                    yield one

    async def get_docs_from(
        self, cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Yielded | Checkpoint]:
        """Yield every document behind a cursor, from the beginning without one, and now and then a `Checkpoint`.

        Called instead of `get_docs`, where there is it, so that a sync that was interrupted goes on where it was. What
        comes behind a checkpoint is what has not been yielded before it, whatever changed meanwhile. Made of `datasets`
        and `read` where a source has these, for keys of whole numbers and texts: a dataset without a key has none.
        """
        async with closing_walk(documents_behind(self, await self.datasets(), cursor, filtering)) as documents:
            async for one in documents:
                yield one

    async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Document | Failed | Dataset]:
        """Yield every document that `get_docs` would, with its id and as little else as can be, to the end or an error.

        Called once in a sync that only deletes, in place of the walk: what is not yielded is deleted. So the ids are
        exactly those of a walk, behind the same datasets. Beside its `_id` a document has what basic rules look at
        (`filtering.fields`), as it has them in a walk: the framework applies the rules itself. Not called with advanced
        rules where there is a `get_docs_by_rules`. Made of `datasets` and `read`, unless `document_of` is overridden:
        whoever does that has a `get_ids` too, which may be this one if ids are made of no more than keys.
        """
        for dataset in await self.datasets():
            yield dataset
            columns = dataset.columns_behind(filtering.fields if filtering is not None else ())
            async with closing_walk(self.read(dataset, columns, pushed(self, filtering))) as rows:
                async for row in rows:
                    yield row if isinstance(row, Failed) else self.document_of(dataset, row)

    def get_docs_incrementally(
        self, sync_cursor: Cursor | None, filtering: Filter | None = None
    ) -> AsyncIterator[Change]:
        """Yield what changed since a cursor: `Upsert`, `Delete` and, best often, `Checkpoint(cursor)`.

        Called once in an incremental sync. Without a cursor everything is yielded. A change may be yielded twice, and
        none may be left out. The cursor is saved when all that came before it has been written. Raises `CursorExpired`
        where what happened since can't be told: then a full sync follows.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_docs_incrementally().")

    def get_docs_live(self, sync_cursor: Cursor, filtering: Filter | None = None) -> AsyncIterator[Change]:
        """Yield what changed since a cursor and then what changes, as it happens, until it is closed.

        Called in a live sync, with cursors and errors as in an incremental one: a cursor of either is good for the
        other. While nothing happens it may be silent for as long as it likes; it best yields a `Checkpoint` now and
        then, so that a cursor does not grow old. It ends only by an error.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_docs_live().")

    def cursor_of(self, token: Token) -> Cursor | None:
        """Return the cursor of the moment of a token that `changed` returned; None where they have nothing in common.

        With it an incremental or live sync goes on from the moment before the last full sync, instead of reading
        everything.
        """
        del token
        return None

    def get_access_control(self) -> AsyncIterator[Document]:
        """Yield a document for each identity that may read something, to the end or until an error.

        Called once in an access-control sync, which there is for a source with `dls_enabled`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_access_control().")

    async def get_doc(self, document_id: str) -> Yielded | None:
        """Return one document as the walk would yield it now, or None when it is gone.

        Called for single documents that have to be read again. A source that can't leaves it out, and they are picked
        from another walk.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_doc().")

    def get_docs_by_rules(self, rules: AdvancedRules) -> AsyncIterator[Yielded]:
        """Yield the documents that advanced rules ask for, and of which dataset they are, to the end or until an error.

        Called in place of `read`, for a source of rows that has advanced rules.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_docs_by_rules().")

    # Reading rows: the second tier, from which everything else can be made.

    async def datasets(self) -> Sequence[Dataset]:
        """Return what the source has, in an order that stays. Called once a walk, and whenever somebody looks."""
        raise NotImplementedError(f"{type(self).__name__} has no get_docs(), and no datasets() to make it of.")

    def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        """Yield the rows of a dataset in the order of its key.

        `columns` are all that is wanted beside the key; `after` is the key behind which to begin. `where` may be used
        to fetch less, in part or not at all: rows that do not match may be yielded, none that matches may be missing.
        With a limit, a source may stop after so many rows that match, and not before.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read().")

    def document_of(self, dataset: Dataset, row: Row) -> Document:
        """Return a row as a document: its columns, the id made of its key, and the name of the dataset it is from.

        What the document says itself means the same in every document: columns of the names `_id` and `dataset` become
        `_id_` and `dataset_`. One of the name `_timestamp` stands for itself.
        """
        document: Document = {**apart(row, GIVEN_FIELDS), "dataset": dataset.name}
        document["_id"] = document_id(dataset.name, dataset.key_of(row))
        if dataset.cursor_field is not None and (moment := instant_of(row.get(dataset.cursor_field))) is not None:
            document.setdefault("_timestamp", moment)
        return document

    @property
    def given_fields(self) -> frozenset[str]:
        """The fields of a document of a row that are no columns of it. A column of such a name gets an underscore."""
        return GIVEN_FIELDS

    def place_of(self, key: Key) -> Any | None:  # noqa: ANN401 - JSON
        """Return a key as JSON, for a checkpoint, of which `key_at` makes the same key; None where there can't be one.

        As it is here it can be one for keys of whole numbers and texts.
        """
        return list(key) if _is_plain(key) else None

    def key_at(self, place: Any) -> Key:  # noqa: ANN401 - JSON
        """Return the key of a place that `place_of` returned, maybe of another process."""
        return tuple(place)

    # Writing, erasing, asking: for exports, privacy requests and queries.

    async def write(self, dataset: Dataset, documents: AsyncIterator[Document]) -> int:
        """Write documents into the source and return how many. Called by exports."""
        raise NotImplementedError(f"{type(self).__name__} has no write().")

    async def erase(self, dataset: Dataset, where: Predicate) -> int:
        """Erase the rows that match, exactly these, and return how many. Called by privacy requests."""
        raise NotImplementedError(f"{type(self).__name__} has no erase().")

    def native_query(self, text: str) -> AsyncIterator[Row]:
        """Yield the rows that a query in the source's own language finds. Called by people who write such queries."""
        raise NotImplementedError(f"{type(self).__name__} has no native_query().")

    # Checking rules.

    def advanced_rules_validators(self) -> Sequence[Any]:
        """Return the validators of advanced rules, classes or instances, in the order in which they are called."""
        return []

    @classmethod
    def basic_rules_validators(cls) -> list[Any]:
        """Return the validators of basic rules, classes or instances: extend what this returns, don't replace it."""
        return list(DEFAULT_VALIDATORS)

    @classmethod
    def basic_rule_validators(cls) -> list[Any]:
        """Return the validators that every source has: the name that older sources know and extend."""
        return list(DEFAULT_VALIDATORS)


def _is_plain(key: Key) -> bool:
    """Return whether a key is the same after it was JSON. Behind none there is no place."""
    return bool(key) and all(type(value) is int or type(value) is str for value in key)
