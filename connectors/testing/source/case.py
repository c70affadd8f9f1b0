"""The case: what the author of a source gives the contract, as attributes and fixtures of the test class."""

import inspect
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.errors import ConnectorsError
from connectors.grants import Grants
from connectors.testing.source.subject import Action, Broken, Settings, Subject


class SourceCase:
    """What every part of the contract has. Fixtures may be async, and may start what they need."""

    def __init_subclass__(cls, **given: object) -> None:
        """Mark tests that are coroutine functions, so that they run where pytest-asyncio waits to be asked too."""
        super().__init_subclass__(**given)
        for name, test in vars(cls).items():
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                pytest.mark.asyncio(test)

    source: ClassVar[type]
    """The class under test."""
    valid_rules: ClassVar[tuple[Any, ...]] = ()
    """Advanced rules that the source can obey with the fixture `settings`: needed where it has advanced rules."""
    invalid_rules: ClassVar[tuple[Any, ...]] = ()
    """Advanced rules that its validators have to refuse."""
    pages: ClassVar[Path | None] = None
    """The folder of its documentation page, whose file is named after the service type."""

    time_limit_s: ClassVar[float] = 60.0
    """How long anything may take."""
    cancel_limit_s: ClassVar[float] = 1.0
    """How long it may take until a walk that is cancelled has ended."""
    settle_limit_s: ClassVar[float] = 2.0
    """How long connections may take to close once their source was closed."""
    block_limit_s: ClassVar[float] = 0.25
    """How long the event loop may stand still."""
    documents_of_many: ClassVar[int] = 10_000
    """How many documents the source of the fixture `many` has at the least."""
    spare_bytes: ClassVar[int] = 4 * 1024 * 1024
    """What a walk may always need, however little memory its documents would take."""
    most_walks: ClassVar[int] = 60
    """How many walks are made with basic rules."""
    most_predicates: ClassVar[int] = 600
    """How many conditions are pushed down, shared out among the datasets."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Give the settings of a small source: at least 3 documents, all readable."""
        pytest.fail("Write a fixture `settings`: the settings of a source with at least 3 documents.", pytrace=False)

    @pytest.fixture
    def many(self) -> Settings:
        """Give the settings of a source with 10,000 documents."""
        pytest.fail("Write a fixture `many`: the settings of a source with 10,000 documents.", pytrace=False)

    @pytest.fixture
    def unreachable(self) -> tuple[Settings, type[ConnectorsError]]:
        """Give settings with which `ping` has to fail, and the error that it has to raise."""
        pytest.fail("Write a fixture `unreachable`: settings with which ping() fails, and its error.", pytrace=False)

    @pytest.fixture
    def broken(self) -> Settings | Broken:
        """Give settings of a source that can be pinged and meets a page in its walk that can't be read."""
        pytest.fail("Write a fixture `broken`: settings of a source whose walk has to fail.", pytrace=False)

    @pytest.fixture
    def change(self) -> Action | None:
        """Give what changes a document of the source that `settings` describes; None where that is not possible."""
        return None

    @pytest.fixture
    def removal(self) -> Action | None:
        """Give what removes a document from the source that `settings` describes; None where that is not possible."""
        return None

    @pytest.fixture
    def grants(self) -> Grants:
        """Give what the settings may refer to: any path, and no secret of this machine."""
        return Grants(allowed_paths=None)

    @pytest.fixture
    def subject(self, grants: Grants) -> Subject:
        """Give the source in the hands of the contract."""
        return Subject(self.source, grants, self.time_limit_s)
