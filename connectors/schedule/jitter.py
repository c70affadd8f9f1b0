"""Jitter: how long one connector waits after its tick, so that not all begin in the same second."""

from datetime import timedelta
from hashlib import blake2b


def delay_of(connector_id: str, most: timedelta) -> timedelta:
    """Return a delay in whole seconds from nothing to `most`, the same for a connector at any time and anywhere."""
    digest = blake2b(connector_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    seconds = most // timedelta(seconds=1)
    return timedelta(seconds=int.from_bytes(digest) * (seconds + 1) >> 64)
