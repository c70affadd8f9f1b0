"""The README: the commands of its section about syncs do what it says, in a real process."""

import os
import re
import subprocess
import sys
from pathlib import Path

from connectors.cli.summary import EXIT_ATTENTION
from fixtures.mysql.server import PASSWORD
from tests.sources.mariadb import own_server

ROOT = Path(__file__).parent.parent.parent
PROMPT = "    $ "
TABLES = (
    "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(100), city VARCHAR(50))",
    "CREATE TABLE orders (customer INT, number INT, note TEXT, PRIMARY KEY (customer, number))",
    "INSERT INTO customers SELECT seq, CONCAT('Customer ', seq), 'Riga' FROM seq_1_to_2000",
    "INSERT INTO orders SELECT 1 + seq % 2000, seq, CONCAT('Deliver to door ', seq) FROM seq_1_to_10000",
)


def examples(title: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a section, each with the lines that it is said to print."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found: list[tuple[str, list[str]]] = []
    for line in section.splitlines():
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT).replace(".venv/bin/python", sys.executable), []))
        elif line.startswith("    "):
            found[-1][1].append(line.removeprefix("    "))
    return found


def without_numbers(lines: list[str]) -> list[str]:
    return [re.sub(r"mysql-\w+", "mysql-0", re.sub(r"\d+([.,]\d+)?", "0", line)) for line in lines]


def check(folder: Path, said: list[str], *commands: str, code: int = 0, **environ: str) -> None:
    """Run commands in one shell, and compare with what is said of the last one."""
    done = subprocess.run(
        ["bash", "-c", "\n".join(commands)],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CONNECTORS__LOG__LEVEL": "error", **environ},
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert without_numbers(done.stdout.splitlines()) == without_numbers(said)


def test_the_commands_about_syncs_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")  # whose files nobody has just written, unlike those of a copy
    assert len(examples("Sync")) == 2
    for command, said in examples("Sync"):
        check(tmp_path, said, command)


async def test_the_commands_about_a_database_do_what_they_say(tmp_path: Path) -> None:
    async with own_server() as shop:
        place = f"127.0.0.1:{shop.settings['port']}"
        found = [(command.replace("db.example.org", place), said) for command, said in examples("A database")]
        settings = [command for command, said in found if not said]
        first, second, third = [(command, said) for command, said in found if said]
        await shop.run(*TABLES)
        check(tmp_path, first[1], *settings, first[0], SHOP_PASSWORD=PASSWORD)
        await shop.run("UPDATE customers SET city = 'Bern' WHERE id = 7", "DELETE FROM orders WHERE number = 11")
        check(tmp_path, second[1], *settings, second[0], SHOP_PASSWORD=PASSWORD)
        await shop.run("DELETE FROM orders")
        check(tmp_path, third[1], *settings, third[0], code=EXIT_ATTENTION, SHOP_PASSWORD=PASSWORD)
