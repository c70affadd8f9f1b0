"""Documents that several parts read: many for scans, in several segments, and a few for order and hits."""

from tests.contracts.engine.case import Item, Json, create, items, ndjson, store
from tests.contracts.wire import Wire

DOCUMENTS = 1_007
SEGMENT = 300
EPOCH = 1_700_000_000_000 << 21
PROPERTIES = {"mark": {"properties": {"f": {"type": "long", "index": False, "doc_values": True}}}}

FEW_PROPERTIES = {
    "k": {"type": "keyword"},
    "t": {"type": "text"},
    "n": {"type": "long"},
    "d": {"type": "date"},
    "b": {"type": "boolean"},
}
FEW: dict[str, Json] = {
    "1": {"k": "b", "n": 5, "d": "2024-01-31T12:00:00+02:00", "b": True},
    "2": {"k": "a", "n": 5, "d": "2024-02-01"},
    "3": {"k": "b", "n": [3, 30], "b": False},
    "4": {"n": 2**53 + 1, "d": "2024-01-31T10:00:00.001Z"},
    "5": {"k": "B", "n": -7},
}


def _fingerprint(number: int) -> int:
    """Return a signed 64-bit number; the first three are those that a float cannot tell from their neighbours."""
    special = [-(2**63), 2**63 - 1, 2**53 + 1]
    return special[number] if number < len(special) else (number * 0x9E3779B97F4A7C15) % 2**64 - 2**63


async def fill(wire: Wire, index: str, shards: int) -> dict[str, Json]:
    """Store documents in several segments; return by id what a scan must say about each."""
    await create(wire, index, shards=shards, properties=PROPERTIES)
    scanned: dict[str, Json] = {}
    for first in range(0, DOCUMENTS, SEGMENT):
        numbers = range(first, min(first + SEGMENT, DOCUMENTS))
        body = ndjson(*(line for number in numbers for line in _lines(number)))
        stored = items(await wire("POST", f"/{index}/_bulk?refresh=true", body))
        scanned |= {item.id: _scanned(index, number, item) for number, item in zip(numbers, stored, strict=True)}
    return scanned


def _lines(number: int) -> list[Json]:
    version = {"version": EPOCH + number, "version_type": "external_gte"}
    return [{"index": {"_id": f"d{number}", **version}}, {"mark": {"f": _fingerprint(number)}, "text": "x" * 20}]


def _scanned(index: str, number: int, item: Item) -> Json:
    assert item.status == 201
    said = {"_index": index, "_id": item.id, "_version": EPOCH + number, "_seq_no": item.seq_no, "_primary_term": 1}
    return said | {"_score": None, "fields": {"mark.f": [_fingerprint(number)]}}


async def fill_few(wire: Wire, index: str) -> None:
    """Store the few documents that order and hits are about."""
    await create(wire, index, properties=FEW_PROPERTIES)
    await store(wire, index, FEW)
