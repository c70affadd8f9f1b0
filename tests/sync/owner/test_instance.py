"""An instance: who has certainly ended, told apart from who can't be told of."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sync.owner.instance import Instance

SAYS = "from connectors.sync.owner.instance import Instance; print(Instance.current(), flush=True); input()"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", SAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        yield one
        one.kill()


def said(child: subprocess.Popen[str]) -> Instance:
    assert child.stdout is not None
    found = Instance.of(child.stdout.readline().rstrip("\n"))
    assert found is not None
    return found


def test_this_process_is_known_and_not_gone() -> None:
    here = Instance.current()
    assert here.pid == os.getpid()
    assert here == Instance.current()
    assert here.place
    assert here.start
    assert not here.is_gone
    assert here.name == f"process {os.getpid()} on {here.host}"


def test_a_process_is_gone_when_it_was_killed_and_not_before(child: subprocess.Popen[str]) -> None:
    other = said(child)
    assert other.pid == child.pid
    assert (other.host, other.place) == (Instance.current().host, Instance.current().place)
    found = [other.is_gone]
    child.send_signal(signal.SIGSTOP)
    found.append(other.is_gone)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
    found.append(other.is_gone)
    child.wait()
    assert [*found, other.is_gone] == [False, False, True, True]


@pytest.mark.parametrize("number", [0, 2**22 + 1, 2**40])
def test_a_number_that_can_be_no_process_of_ours_is_harmless(number: int) -> None:
    assert replace(Instance.current(), pid=number).is_gone is (number == 2**22 + 1)


def test_a_process_that_the_system_hides_is_gone_when_it_was_killed_and_not_before(
    child: subprocess.Popen[str], tmp_path: Path
) -> None:
    other = said(child)
    found = [other.is_gone_by(tmp_path)]  # which shows of no process that it is there
    child.kill()
    child.wait()
    assert [*found, other.is_gone_by(tmp_path)] == [False, True]


ASKS = """\
import os, sys
from pathlib import Path
from connectors.sync.owner.instance import Instance
os.setgid(65534)
os.setuid(65534)
shown = Path(sys.argv[1])
for line in sys.stdin:
    print(Instance.of(line.rstrip()).is_gone_by(shown), flush=True)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_that_the_system_hides_is_not_gone_before_it_is(
    child: subprocess.Popen[str], tmp_path: Path
) -> None:
    other = said(child)
    with subprocess.Popen(
        [sys.executable, "-c", ASKS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as asker:
        asked, answers = asker.stdin, asker.stdout
        assert asked is not None
        assert answers is not None

        def answer() -> str:
            asked.write(f"{other}\n")
            asked.flush()
            return answers.readline()

        found = [answer()]
        child.kill()
        child.wait()
        found.append(answer())
        asked.close()
    assert found == ["False\n", "True\n"]


def test_a_process_is_known_by_the_moment_in_which_it_began(child: subprocess.Popen[str]) -> None:
    began_s = int(said(child).start) / os.sysconf("SC_CLK_TCK")
    now_s = float(Path("/proc/uptime").read_text().split()[0])
    assert now_s - 30 < began_s <= now_s


def test_a_number_that_was_given_to_another_process_is_that_of_one_that_is_gone() -> None:
    here = Instance.current()
    assert replace(here, start=str(int(here.start) - 1)).is_gone


@pytest.mark.parametrize("change", [{"place": "another boot/pid:[1]"}, {"place": ""}, {"start": ""}])
def test_what_can_not_be_told_is_not_gone(child: subprocess.Popen[str], change: dict[str, str]) -> None:
    other = said(child)
    child.kill()
    child.wait()
    assert other.is_gone
    assert not replace(other, **change).is_gone  # type: ignore[arg-type]


def test_a_process_with_any_name_is_known_by_its_start() -> None:
    rename = f"import ctypes; ctypes.CDLL(None).prctl(15, b'a) Z 1 (', 0, 0, 0)\n{SAYS}"
    with subprocess.Popen(
        [sys.executable, "-c", rename], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        other = said(one)
        assert other.start.isdecimal()
        assert not other.is_gone
        one.kill()
        one.wait()
    assert other.is_gone


@given(
    st.builds(
        Instance, *[st.text(st.characters(exclude_characters="|"))] * 2, st.integers(1, 2**22), st.text("0123456789")
    )
)
def test_an_instance_is_read_from_what_it_says(one: Instance) -> None:
    assert Instance.of(str(one)) == one


@pytest.mark.parametrize("text", ["", "a", "a|b|c", "a|b|c|d", "a|b|-1|d", "a|b|1|d|e", "a|b|1.5|d", "||"])
def test_anything_else_says_of_no_instance(text: str) -> None:
    assert Instance.of(text) is None
