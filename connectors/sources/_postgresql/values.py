"""Values that the driver returns as PostgreSQL writes them, and what documents hold of them."""

import json
from decimal import Decimal
from typing import Any


def json_of(text: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a text of JSON holds, its numbers exact; lists of such texts alike. What is none stays."""
    if isinstance(text, list):
        return [None if one is None else json_of(one) for one in text]
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text
