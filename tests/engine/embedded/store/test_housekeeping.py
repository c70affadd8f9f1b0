"""The housekeeping: what nobody sees goes, what a point in time sees stays, but not without limit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store.catalog import Catalog
from connectors.engine.embedded.store.housekeeping import Housekeeping
from connectors.engine.embedded.store.indexer import TableIndexer
from connectors.engine.embedded.store.points_in_time import PointsInTime, Seen
from connectors.engine.embedded.store.refreshing import Refreshing
from connectors.engine.embedded.store.versioning import Condition
from connectors.engine.embedded.turn import Turn

LIMIT = 1_000
DOCUMENT = b'{"text": "' + b"x" * 88 + b'"}'  # 100 bytes


class House:
    def __init__(self, folder: Path) -> None:
        turn = Turn()
        self.points = PointsInTime()
        self.keeping = Housekeeping(turn, self.points, most_gone_bytes=LIMIT)
        self.refresh = Refreshing(turn, self.keeping)
        self.catalog = Catalog(folder, lambda file: TableIndexer(file.connection))
        self.index = self.catalog.create("docs", {})

    def write(self, count: int) -> None:
        """Write one document so many times, each time searchable."""
        for _ in range(count):
            with self.index.transaction():
                self.index.put("1", DOCUMENT, Condition())
            self.refresh(self.index)
            self.keeping.settle()

    def hold(self) -> str:
        seen = Seen(self.index.name, self.index.uuid, self.index.searched.refreshed)
        return self.points.open((seen,), None, "1m")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.keeping.close()
    one.catalog.close()


def test_what_was_replaced_goes(house: House) -> None:
    house.write(5)
    assert (house.index.file.gone_bytes, house.index.file.gone_rows()) == (0, 0)


def test_what_a_point_in_time_may_see_stays_until_it_is_closed(house: House) -> None:
    house.write(1)
    name = house.hold()
    house.write(5)
    assert house.index.file.gone_bytes == 500
    house.points.close(name)
    house.write(1)
    assert house.index.file.gone_bytes == 0


def test_the_oldest_point_in_time_is_closed_when_too_much_is_kept_for_it(house: House) -> None:
    house.write(1)
    oldest = house.hold()
    house.write(8)
    youngest = house.hold()
    house.write(2)
    assert house.index.file.gone_bytes == LIMIT
    house.points.get(oldest)
    house.write(1)
    assert house.index.file.gone_bytes == 300
    with pytest.raises(Refusal, match="No search context found"):
        house.points.get(oldest)
    house.points.get(youngest)


def test_an_index_that_goes_meanwhile_is_left_alone(house: House) -> None:
    house.write(3)
    house.catalog.delete(["docs"])
    house.keeping.tidy(house.index)
    house.keeping.settle()
    assert house.index.closed


def test_after_closing_nothing_is_begun(house: House) -> None:
    house.keeping.close()
    house.write(3)
    assert house.index.file.gone_bytes == 200
