"""The base of sources: what it makes of rows, and what it takes from classes that know nothing of it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset, Key, Row
from connectors.fields import Configuration, Field, Fields
from connectors.filtering.basic import DEFAULT_VALIDATORS
from connectors.predicate import ALWAYS, Predicate, fields_in
from connectors.source import MOST_REMARKS, BaseDataSource
from connectors.source_class import can_list_ids, fields_of, has, opened, remarks_of

PEOPLE = Dataset("people", primary_key=("n",), cursor_field="at")
ROWS: dict[str, list[Row | Failed]] = {
    "people": [{"n": 1, "name": "Ada", "at": "2024-01-01T00:00:00Z"}, Failed("people/2", "half a row")],
    "notes": [{"_id": "a", "dataset": "mine", "_timestamp": "now"}],
}


class Rows(BaseDataSource):
    """Two datasets, and what it was asked for."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.asked: list[Predicate] = []

    async def datasets(self) -> Sequence[Dataset]:
        return [PEOPLE, Dataset("notes", primary_key=("_id",))]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        self.asked.append(where)
        for row in ROWS[dataset.name]:
            yield row


class Duck:
    """Knows nothing of the base."""

    def __init__(self) -> None:
        self.closed = 0

    @classmethod
    def get_default_configuration(cls) -> dict[str, Any]:
        return {"host": {"label": "Host", "type": "str", "value": "here"}}

    async def ping(self) -> None: ...

    async def close(self) -> None:
        self.closed += 1


class Entered(Duck):
    """Is entered, and left instead of closed."""

    async def __aenter__(self) -> str:
        return "entered"

    async def __aexit__(self, *error: object) -> None:
        self.closed += 10


def rule(field: str) -> dict[str, Any]:
    return {"id": "1", "policy": "exclude", "field": field, "rule": "equals", "value": "x", "order": 1}


def rows() -> Rows:
    return Rows(Configuration(Fields(), {}))


async def test_documents_are_made_of_rows() -> None:
    found = [one async for one in rows().get_docs()]
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert found == [
        (
            {
                "dataset": "people",
                "n": 1,
                "name": "Ada",
                "at": "2024-01-01T00:00:00Z",
                "_id": "people/1",
                "_timestamp": moment,
            },
            None,
        ),
        Failed("people/2", "half a row"),
        ({"dataset": "notes", "dataset_": "mine", "_timestamp": "now", "_id": "notes/a", "_id_": "a"}, None),
    ]


async def test_what_rules_look_at_is_pushed_down() -> None:
    source = rows()
    filtering = Filter({"rules": [rule("name")]})
    _ = [one async for one in source.get_docs(filtering)]
    assert source.asked == [filtering.where] * 2


async def test_rules_about_what_only_documents_have_are_not_pushed_down() -> None:
    source = rows()
    fields = ("_id", "name", "dataset", "_timestamp", "_id_", "dataset_", "dataset__.more")
    rules = [{**rule(field), "id": str(place)} for place, field in enumerate(fields)]
    _ = [one async for one in source.get_docs(Filter({"rules": rules}))]
    assert [sorted(fields_in(where)) for where in source.asked] == [["name"], ["name"]]


@pytest.mark.parametrize(
    "call",
    [
        lambda source: source.get_docs_incrementally(None),
        lambda source: source.get_access_control(),
        lambda source: source.native_query("x"),
        lambda source: source.read(PEOPLE),
    ],
)
def test_what_a_source_does_not_have_is_named(call: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"BaseDataSource has no \w+\(\)"):
        call(BaseDataSource(Configuration(Fields(), {})))


async def test_what_a_source_does_not_have_is_named_when_it_is_waited_for() -> None:
    source = BaseDataSource(Configuration(Fields(), {}))
    calls = [source.ping(), source.get_doc("1"), source.datasets(), source.erase(PEOPLE, ALWAYS), source.health()]
    for call in calls:
        with pytest.raises(NotImplementedError, match="BaseDataSource has no"):
            await call


async def test_a_source_that_can_not_tell_says_that_it_changed() -> None:
    assert await rows().changed({"any": "token"}, Filter()) == (True, None)


def test_what_a_class_has_of_its_own_is_told_from_what_it_inherits() -> None:
    assert has(Rows, "read")
    assert has(rows(), "datasets")
    assert not has(Rows, "changed")
    assert not has(rows(), "get_docs")
    assert has(Duck, "ping")
    assert not has(Duck(), "get_docs")


def test_fields_are_those_declared_or_those_of_the_plain_configuration() -> None:
    class Declared(BaseDataSource):
        fields = Fields(Field("port", "Port", type=int))

    class Plain(BaseDataSource):
        @classmethod
        def get_default_configuration(cls) -> dict[str, Any]:
            return Duck.get_default_configuration()

    assert list(fields_of(Declared)) == ["port"]
    assert list(fields_of(Plain)) == list(fields_of(Duck)) == ["host"]
    assert len(fields_of(BaseDataSource)) == 0


async def test_a_source_is_closed_once_however_it_is_left() -> None:
    duck, entered = Duck(), Entered()
    async with opened(duck) as source:
        assert source is duck
    with pytest.raises(LookupError):
        async with opened(duck):
            raise LookupError
    async with opened(entered) as source:
        assert source == "entered"
    assert (duck.closed, entered.closed) == (2, 10)


async def test_the_base_closes_when_it_is_left() -> None:
    class Closing(BaseDataSource):
        closed = 0

        async def close(self) -> None:
            self.closed += 1

    async with opened(Closing(Configuration(Fields(), {}))) as source:
        assert source.closed == 0
    assert source.closed == 1


def test_features_say_what_a_class_can() -> None:
    class Able(BaseDataSource):
        advanced_rules_enabled = True
        incremental_sync_enabled = True

    assert Able.features() == {
        "sync_rules": {"basic": {"enabled": True}, "advanced": {"enabled": True}},
        "document_level_security": {"enabled": False},
        "incremental_sync": {"enabled": True},
        "native_connector_api_keys": {"enabled": True},
    }


def test_who_brings_validators_of_advanced_rules_has_such_rules() -> None:
    class Brings(BaseDataSource):
        def advanced_rules_validators(self) -> list[Any]:
            return []

    assert Brings.features()["sync_rules"]["advanced"] == {"enabled": True}
    assert BaseDataSource.features()["sync_rules"]["advanced"] == {"enabled": False}


def test_the_older_name_of_the_validators_is_kept() -> None:
    assert BaseDataSource.basic_rule_validators() == BaseDataSource.basic_rules_validators() == [*DEFAULT_VALIDATORS]
    assert BaseDataSource(Configuration(Fields(), {})).advanced_rules_validators() == []


async def test_a_walk_that_is_closed_closes_what_it_reads_from() -> None:
    closed: list[str] = []

    class Closing(Rows):
        async def read(self, dataset: Dataset, *given: Any, **more: Any) -> AsyncIterator[Row | Failed]:
            try:
                yield {"n": 1}
                yield {"n": 2}
            finally:
                closed.append(dataset.name)

    walk = Closing(Configuration(Fields(), {})).get_docs()
    await anext(walk)
    assert closed == []
    assert isinstance(walk, AsyncGenerator)
    await walk.aclose()
    assert closed == ["people"]


class Asked(Rows):
    """Has advanced rules, each of which is the id of a document."""

    async def get_docs_by_rules(self, rules: Any) -> AsyncIterator[Any]:
        for one in rules:
            yield {"_id": one}


async def test_a_source_of_rows_is_asked_by_its_advanced_rules_where_it_has_such() -> None:
    rules = Filter({"advanced_snippet": {"value": ["x", "y"]}})
    source = Asked(Configuration(Fields(), {}))
    assert [one async for one in source.get_docs(rules)] == [{"_id": "x"}, {"_id": "y"}]
    assert [one async for one in source.get_docs_from({"dataset": "notes", "key": ["a"]}, rules)] == [
        {"_id": "x"},
        {"_id": "y"},
    ]
    assert source.asked == []
    assert len([one async for one in source.get_docs(Filter())]) == 3


async def test_a_source_of_rows_without_advanced_rules_reads_them_whatever_is_asked() -> None:
    source = Rows(Configuration(Fields(), {}))
    assert len([one async for one in source.get_docs(Filter({"advanced_snippet": {"value": ["x"]}}))]) == 3


# Ids alone.


class Columns(BaseDataSource):
    """One dataset that says what it has, and what it was asked for."""

    fields = Fields(Field("password", "Password", sensitive=True, required=False))
    dataset = Dataset(
        "people",
        schema={"properties": {name: {} for name in ("n", "name", "at", "_id", "address", "large")}},
        primary_key=("n",),
        cursor_field="at",
    )
    row: ClassVar[Row] = {
        "n": 1,
        "name": "Ada",
        "at": "2024-01-01T00:00:00Z",
        "_id": 7,
        "address": {"city": "x"},
        "large": ".",
    }

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.asked: list[Sequence[str] | None] = []

    async def datasets(self) -> Sequence[Dataset]:
        return [self.dataset]

    async def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        self.asked.append(columns)
        yield {name: value for name, value in self.row.items() if columns is None or name in {"n", *columns}}
        yield Failed("people/2", "half a row")


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ((), ()),
        (("name",), ["name", "at"]),
        (("address.city",), ["at", "address"]),
        (("dataset", "_timestamp", "_id_"), ["at", "_id"]),
    ],
)
async def test_of_rows_the_keys_are_read_and_what_rules_look_at(fields: tuple[str, ...], columns: Any) -> None:
    source = Columns(Configuration(Columns.fields, {}))
    filtering = Filter({"rules": [{**rule(name), "id": name} for name in fields]})
    [_, found, failed] = [one async for one in source.get_ids(filtering)]
    [walked, other] = [one async for one in source.get_docs()]
    assert source.asked == [columns, None]
    assert failed == other
    assert isinstance(found, dict)
    assert isinstance(walked, tuple)
    whole: dict[str, Any] = walked[0]
    assert found.items() <= whole.items()
    assert {"_id", "dataset", *fields} - {"address.city"} <= found.keys()


async def test_where_nobody_says_which_columns_there_are_all_are_read_for_rules() -> None:
    class Vague(Columns):
        dataset = Dataset("people", primary_key=("n",))

    source = Vague(Configuration(Columns.fields, {}))
    _ = [one async for one in source.get_ids(Filter({"rules": [rule("name")]}))]
    _ = [one async for one in source.get_ids()]
    assert source.asked == [None, ()]


def test_ids_alone_are_those_of_rows_unless_documents_are_made_otherwise() -> None:
    class Own(Columns):
        def document_of(self, dataset: Dataset, row: Row) -> dict[str, Any]:
            return {"_id": str(row["large"])}

    class Telling(Own):
        async def get_ids(self, filtering: Filter | None = None) -> AsyncIterator[Any]:
            yield {"_id": "."}

    class Walking(Columns):
        async def get_docs(self, filtering: Filter | None = None) -> AsyncIterator[Any]:
            yield {"_id": "a"}

    assert [can_list_ids(one) for one in (Columns, Own, Telling, Walking, Duck)] == [True, False, True, False, False]


# Remarks.


def test_a_remark_is_kept_once_and_says_no_secret() -> None:
    source = Columns(Configuration(Columns.fields, {"password": "hunter2 and more"}))
    found = remarks_of(source)
    for _ in range(2):
        source.remark("It says hunter2 and more.")
    source.remark("It is late.")
    assert found == ["It says ***.", "It is late."]


def test_of_very_many_remarks_the_first_are_kept() -> None:
    source = Columns(Configuration(Columns.fields, {}))
    for number in range(MOST_REMARKS + 5):
        source.remark(f"Number {number}.")
    assert source.remarks == [f"Number {number}." for number in range(MOST_REMARKS)]


def test_a_class_that_knows_nothing_of_the_base_remarks_nothing() -> None:
    assert remarks_of(Duck()) == []
