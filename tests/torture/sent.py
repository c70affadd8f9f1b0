"""What the tests of the proxy send through it."""

from connectors.engine.bulk import index_line

IDS = [f"d{number}" for number in range(10)]


def body(ids: list[str] = IDS, version: int = 1) -> bytes:
    """Return a bulk that writes these documents in that version."""
    return b"".join(index_line(one, version=version) + b'{"n":1}\n' for one in ids)


def port_of(url: str) -> int:
    """Return the port of an address."""
    return int(url.rpartition(":")[2])
