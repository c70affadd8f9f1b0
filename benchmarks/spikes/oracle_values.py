"""What reading Oracle costs besides the server: to import the driver, and to make rows of what it returns.

`python -m benchmarks.spikes.oracle_values` prints the table of docs/decisions/0024. There is no server in it: values
are those that the driver would return of a NUMBER(10), a NUMBER, two texts, a DATE and a TIMESTAMP.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, Final

from connectors.sources._oracle.dialect import OracleDialect
from connectors.sources._oracle.values import text_of
from connectors.sources._sql.row import maker_of
from connectors.sources._sql.session import ResultColumn

ROWS: Final = 300_000
ROUNDS: Final = 5
DECLARED: Final = ("NUMBER(10,0)", "NUMBER(,)", "VARCHAR2", "VARCHAR2", "DATE", "TIMESTAMP(6)")
MODULES: Final = ("oracledb", "asyncmy", "psycopg", "pytds")
_FIRST: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - as the driver returns it


def values(written: Callable[[datetime, int], object]) -> list[tuple[Any, ...]]:
    """Return rows as the driver returns them; times as a function makes them of when and with how many digits."""
    moments = [_FIRST + timedelta(seconds=n, microseconds=n) for n in range(ROWS)]
    return [
        (n, Decimal(n), f"name {n}", "x" * 180, written(one.replace(microsecond=0), 0), written(one, 9))
        for n, one in enumerate(moments)
    ]


def as_text(moment: datetime, digits: int) -> str:
    """Return a time as TO_CHAR writes it."""
    return (
        f"{text_of(moment)}.{moment.microsecond:06d}000"
        if digits and not moment.microsecond
        else (f"{text_of(moment)}000" if digits else text_of(moment))
    )


def seconds(columns: Sequence[ResultColumn], rows: Sequence[tuple[Any, ...]]) -> float:
    """Return how long it takes to make all rows."""
    make = maker_of(columns)
    began = time.process_time()
    for row in rows:
        make(row)
    return time.process_time() - began


def importing(module: str) -> float | None:
    """Return how long an import takes in a new process, beyond the process; None for what is not installed."""
    text = f"import time; b = time.perf_counter(); import {module}; print(time.perf_counter() - b)"
    found = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=False)
        if done.returncode:
            return None
        found.append(float(done.stdout))
    return median(found)


def main() -> None:
    """Print what was measured."""
    dialect = OracleDialect()
    forms = [dialect.form(one) for one in DECLARED]
    columns = [ResultColumn(f"c{place}", form.made) for place, form in enumerate(forms)]
    plain = [ResultColumn(one.name) for one in columns]
    of_text, of_driver = values(as_text), values(lambda moment, _: moment)
    print("| rows a second | |\n| --- | ---: |")
    for label, known, rows in (
        ("times as texts, numbers told apart", columns, of_text),
        ("times as the driver makes them, numbers told apart", columns, of_driver),
        ("as it returns them", plain, of_driver),
    ):
        found = median(seconds(known, rows) for _ in range(ROUNDS))
        print(f"| {label} | {round(ROWS / found, -3):,.0f} |")
    for module in MODULES:
        if (taken := importing(module)) is not None:
            print(f"| import {module} | {1000 * taken:.0f} ms |")


if __name__ == "__main__":
    main()
