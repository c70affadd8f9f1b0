"""Decoding an engine's answer to a bulk: straight into records, or into dictionaries that records are made from."""

import importlib.util
import json
from collections.abc import Callable

import msgspec

from benchmarks.measure import Row, compare
from benchmarks.null_engine import bulk_answer
from connectors.engine.bulk import BulkAnswer

OPERATIONS = 1_000


def run() -> list[Row]:
    """Return seconds for one answer."""
    raw = bulk_answer(OPERATIONS)
    typed = msgspec.json.Decoder(BulkAnswer)
    ways: dict[str, Callable[[], object]] = {
        "msgspec, to records": lambda: typed.decode(raw),
        "msgspec, to dicts and then records": lambda: msgspec.convert(msgspec.json.decode(raw), BulkAnswer),
        "json, to dicts": lambda: json.loads(raw),
    }
    if importlib.util.find_spec("orjson"):
        import orjson  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 - measured where it is installed

        ways["orjson, to dicts"] = lambda: orjson.loads(raw)
    return compare({name: _often(work) for name, work in ways.items()})


def _often(work: Callable[[], object], times: int = 50) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(times):
            work()

    return repeat
