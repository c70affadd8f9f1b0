"""The README: the commands of its section about syncs do what it says, in a real process."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROMPT = "    $ .venv/bin/python -m connectors "


def examples() -> list[tuple[str, list[str]]]:
    """Return the commands of the section, each with the lines that it is said to print."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Sync\n")[2].partition("\n## ")[0]
    found: list[tuple[str, list[str]]] = []
    for line in section.splitlines():
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT), []))
        elif line.startswith("    "):
            found[-1][1].append(line.removeprefix("    "))
    return found


def without_numbers(lines: list[str]) -> list[str]:
    return [re.sub(r"\d+(\.\d+)?", "0", line) for line in lines]


def test_the_commands_about_syncs_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")  # whose files nobody has just written, unlike those of a copy
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CONNECTORS__LOG__LEVEL": "error"}
    assert len(examples()) == 2
    for command, lines in examples():
        done = subprocess.run(
            [sys.executable, "-m", "connectors", *command.split()],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            env=environ,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert without_numbers(done.stdout.splitlines()) == without_numbers(lines)
