"""Fetches that behave in all kinds of ways."""

import asyncio

from connectors.aio.retry import Retry, RetryPolicy
from connectors.download import Content, Fetch
from connectors.sync.content.downloads import DownloadLimits, Downloads
from connectors.testing.virtual_time import VirtualClock

POLICY = RetryPolicy(attempts=3, first_pause_s=1, longest_pause_s=8)


def downloads(
    limits: DownloadLimits | None = None, *, policy: RetryPolicy = POLICY, secret: str = "hunter2"
) -> Downloads:
    clock = VirtualClock()
    retry = Retry(policy, clock, chance=lambda: 1.0)
    return Downloads(
        limits or DownloadLimits(), clock=clock, retry=retry, mask=lambda text: text.replace(secret, "***")
    )


def returns(content: Content, *, after_s: float = 0) -> Fetch:
    async def fetch() -> Content:
        await asyncio.sleep(after_s)
        return content

    return fetch


def raises(*errors: BaseException, then: Content = b"") -> Fetch:
    """Raise one error a call, and return in the calls after them."""
    left = list(errors)

    async def fetch() -> Content:
        if left:
            raise left.pop(0)
        return then

    return fetch


def swallows_cancellation(*, for_s: float) -> Fetch:
    """Go on for so long, whoever wants it to end."""

    async def fetch() -> Content:
        ends = asyncio.get_running_loop().time() + for_s
        while (left_s := ends - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(left_s)
            except asyncio.CancelledError:
                continue
        return b"too late"

    return fetch
