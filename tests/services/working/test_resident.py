"""Resident memory: of a process that there is, and of one that there is not."""

import os

from connectors.services.working.resident import resident_bytes


def test_what_a_process_takes_is_what_it_has_more_of() -> None:
    before = resident_bytes(os.getpid())
    taken = bytearray(b"x") * 2**26
    after = resident_bytes(os.getpid())
    assert before is not None
    assert after is not None
    assert 0.9 * len(taken) < after - before < 1.5 * len(taken)


def test_of_a_process_that_is_gone_nothing_is_told() -> None:
    assert resident_bytes(2**22 + 1) is None
