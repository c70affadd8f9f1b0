"""Where the pages of our sources are, each of which the contract compares with what its source declares."""

from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).parent.parent.parent / "docs" / "sources"
