"""A sync on a terminal: the line that changes, what Ctrl-C does, and what another process sees of it."""

import json
import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterator

import pytest

from tests.cli.desk import COMMAND, Desk

PATIENCE_S = 40.0
LINE = r"reading  1,200 documents  \d+/s  [\d.]+ \w+ sent  [\d.]+ s  bulks 1/16"
WRITTEN = r"Interrupted: 1,200 documents had been read, (\d[\d,]*) created, 0 updated, 0 unchanged, 0 deleted;"


class Terminal:
    """A command on a terminal of its own, which is all that it has."""

    def __init__(self, desk: Desk, *arguments: str, **environ: str) -> None:
        self._shown = ""
        self.code: int | None = None
        self._pid, self._master = pty.fork()
        if not self._pid:
            os.chdir(desk.folder)
            os.execve(COMMAND[0], [*COMMAND, *arguments], {**desk.environ, "COLUMNS": "120", "LINES": "24", **environ})

    def see(self, pattern: str) -> re.Match[str]:
        """Wait until something is shown, and return it."""
        while (found := re.search(pattern, self._shown)) is None:
            assert self._read(), f"{pattern} is not in {self._shown!r}"
        return found

    def press_ctrl_c(self) -> None:
        """Press it."""
        self.type("\x03")

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command."""
        os.kill(self._pid, number)

    def end(self) -> str:
        """Wait for the end of the command, and return all that was shown."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self._shown

    def hang_up(self) -> int:
        """Close the terminal, and return how the command ended."""
        os.close(self._master)
        self._master = -1
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                return self.code
            time.sleep(0.05)
        raise AssertionError("It has not ended.")

    def close(self) -> None:
        """Leave nothing behind, whatever became of the command."""
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        if self._master >= 0:
            os.close(self._master)

    def _read(self) -> bool:
        readable, _, _ = select.select([self._master], [], [], PATIENCE_S)
        assert readable, f"Nothing more was shown after {self._shown!r}"
        try:
            raw = os.read(self._master, 65_536)
        except OSError:  # the other side is closed
            return False
        self._shown += raw.decode().replace("\r\n", "\n")
        return bool(raw)


@pytest.fixture
def waiting(desk: Desk) -> Iterator[Terminal]:
    """Give a terminal with a sync whose source has yielded 1,200 documents, and waits."""
    desk.put(*({"_id": f"thing-{one}"} for one in range(1_200)), "wait")
    desk.create()
    terminal = Terminal(desk, "sync", "shelf", CONNECTORS__SYNC__HEARTBEAT_TIMEOUT_S="3")
    try:
        yield terminal
    finally:
        terminal.close()


def test_a_line_that_changes_is_shown_and_gone_in_the_end(desk: Desk) -> None:
    desk.put_many(3)
    desk.create()
    terminal = Terminal(desk, "sync", "shelf")
    shown = terminal.end()
    terminal.close()
    assert terminal.code == 0
    last = shown.rpartition("\x1b[K")[2]
    assert re.fullmatch(
        r"(\x1b\[32m)?Completed(\x1b\[0m)?: 3 documents read, .+ in [\d.]+ s\.\n  3 created, .+\n", last
    )


def test_ctrl_c_ends_a_sync_and_the_same_command_goes_on(desk: Desk, waiting: Terminal) -> None:
    waiting.see(LINE)
    waiting.press_ctrl_c()
    created = int(waiting.see(WRITTEN)[1].replace(",", ""))
    shown = waiting.end()
    assert waiting.code == 130
    assert "Stopping; Ctrl-C again ends it at once.\n" in shown
    assert shown.endswith("The same command goes on from there: what is written is not written again.\n")
    assert len(desk.ids("shelf")) == created
    assert desk.connector("shelf")["last_sync_status"] == "suspended"
    desk.put_many(1_200)
    [report] = desk.json("sync", "shelf")["syncs"]
    assert (report["created"], report["unchanged"]) == (1_200 - created, created)


def test_what_asks_a_process_to_end_does_the_same(waiting: Terminal) -> None:
    waiting.see(LINE)
    waiting.send(signal.SIGTERM)
    assert re.search(WRITTEN, waiting.end()) is not None
    assert waiting.code == 130


def test_ctrl_c_twice_ends_it_at_once(desk: Desk) -> None:
    desk.put({"_id": "a"}, "stay")
    desk.create()
    terminal = Terminal(desk, "sync", "shelf")
    terminal.see("reading  1 document ")
    terminal.press_ctrl_c()
    terminal.see("Ctrl-C again ends it at once.")
    terminal.press_ctrl_c()
    terminal.end()
    terminal.close()
    assert terminal.code == -signal.SIGINT


def test_an_index_that_another_process_writes_to_is_left_to_it(desk: Desk, waiting: Terminal) -> None:
    waiting.see(LINE)
    done = desk.run("sync", "shelf", CONNECTORS__SYNC__HEARTBEAT_TIMEOUT_S="3")
    first, *others = done.stderr.splitlines()
    assert re.sub(r"process \d+ on [^,]+", "PROCESS", first) == (
        "Waiting for PROCESS, which has written to this index, to show whether it is alive (up to 3.0 s)."
    )
    assert (done.returncode, others[0].startswith("The index shelf-000001 is being written to by process ")) == (
        1,
        True,
    )
    assert others[1:] == ["Wait for that sync to end, or stop it."]
    assert desk.connector("shelf")["last_sync_status"] == "in_progress"  # as the other one said


def test_an_index_whose_process_was_killed_is_free_at_once(desk: Desk, waiting: Terminal) -> None:
    waiting.see(LINE)
    waiting.send(signal.SIGKILL)
    waiting.end()
    assert desk.connector("shelf")["last_sync_status"] == "in_progress"
    desk.put_many(1_200)
    done = desk.run("sync", "shelf")
    assert (done.returncode, done.stderr) == (0, "")
    assert desk.connector("shelf")["last_sync_status"] == "completed"


@pytest.fixture
def torn(desk: Desk) -> Desk:
    """Give a desk whose connector has two letters, and a source that waits when it is read again."""
    desk.put({"_id": "a"}, "fail b it is torn", "fail c it is torn")
    desk.create()
    desk.json("sync", "shelf", code=3)
    desk.put({"_id": "a"}, {"_id": "b"}, "tell", "wait", {"_id": "c"})
    return desk


def test_a_retry_of_letters_shows_how_it_comes_on_and_ctrl_c_ends_it(torn: Desk) -> None:
    terminal = Terminal(torn, "dead-letters", "retry", "shelf")
    terminal.see(r"reading  1 document  \d+/s  ")
    terminal.press_ctrl_c()
    shown = terminal.end()
    terminal.close()
    assert terminal.code == 130
    assert "Stopping; Ctrl-C again ends it at once.\n" in shown
    assert re.search(
        r"\x1b\[KInterrupted: 1 document had been read, .+; what was written stays\. "
        r"The same command goes on: it retries the letters that are left\.\n$",
        shown,
    )
    torn.put({"_id": "a"}, {"_id": "b"}, {"_id": "c"})
    found = torn.json("dead-letters", "retry", "shelf")
    assert (found["outcome"], torn.ids("shelf")) == ("completed", {"a", "b", "c"})


def test_a_retry_with_json_shows_nothing_else_and_what_was_done_when_it_is_interrupted(torn: Desk) -> None:
    terminal = Terminal(torn, "dead-letters", "retry", "shelf", "--json")
    terminal.see("Reached.\n")
    terminal.send(signal.SIGTERM)
    shown = terminal.end()
    terminal.close()
    assert terminal.code == 130
    first, stopping, interrupted, *printed = shown.splitlines()
    assert (first, stopping) == ("Reached.", "")
    assert interrupted == "Stopping; Ctrl-C again ends it at once."
    assert printed[0].startswith("Interrupted: 1 document had been read")
    found = json.loads("\n".join(printed[1:]))
    assert (found["outcome"], found["error"], found["sync"]["walked"]) == ("interrupted", None, 1)


def test_a_daemon_whose_terminal_is_gone_ends_as_if_it_was_asked_to(desk: Desk) -> None:
    terminal = Terminal(desk, "run", CONNECTORS__MONITORING__PORT="null", CONNECTORS__LOG__LEVEL="info")
    try:
        terminal.see("The daemon works")
        terminal.send(signal.SIGHUP)
        terminal.see("and nothing has changed")
        assert terminal.hang_up() == 0
    finally:
        terminal.close()
