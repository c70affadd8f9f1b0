"""A promise: what a test of the contract fails with when it is not kept, written for the author of a source."""

from typing import NoReturn

import pytest


def promise(kept: object, otherwise: str) -> None:
    """Fail the test with a sentence that says what to do, unless the promise was kept."""
    __tracebackhide__ = True
    if not kept:
        fail(otherwise)


def fail(text: str) -> NoReturn:
    """Fail the test with a sentence that says what to do, and no traceback of ours."""
    __tracebackhide__ = True
    pytest.fail(text, pytrace=False)


def applies(needed: object, otherwise: str) -> None:
    """Skip the test of a promise that this source need not make."""
    if not needed:
        pytest.skip(otherwise)
