"""The contract of a source as tests: a class of one line gives a test for each promise that a source makes.

    class TestLetters(SourceContract):
        source = LettersDataSource

and the fixtures `settings`, `many`, `unreachable` and `broken`, which `docs/writing-a-source.md` describes. A source
inherits from `BaseDataSource` or has the same methods. It runs with pytest and pytest-asyncio in either of its modes.
"""

from connectors.testing.source.case import SourceCase
from connectors.testing.source.changing import Changing
from connectors.testing.source.declaration import Declaration
from connectors.testing.source.documents import Documents
from connectors.testing.source.ids import Ids
from connectors.testing.source.reach import Reach
from connectors.testing.source.rows import Rows
from connectors.testing.source.rules import SyncRules
from connectors.testing.source.scale import Scale
from connectors.testing.source.secrecy import Secrecy
from connectors.testing.source.subject import Broken
from connectors.testing.source.walking import Walking

__all__ = ["Broken", "SourceCase", "SourceContract"]


class SourceContract(Declaration, Secrecy, Reach, Documents, Walking, Changing, SyncRules, Rows, Ids, Scale):
    """Inherited by one test class a source."""
