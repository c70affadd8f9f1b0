"""What it costs to start: whole processes, beside a Python that does nothing."""

import subprocess
import sys

from benchmarks.measure import Row, compare

PROGRAMS = {
    "python, nothing": ["-c", "pass"],
    "connectors --help": ["-m", "connectors", "--help"],
    "the engine client, imported": ["-c", "import connectors.engine"],
}


def run() -> list[Row]:
    """Return wall seconds of each program, from its start to its end."""
    return compare({name: lambda arguments=arguments: _run(arguments) for name, arguments in PROGRAMS.items()})  # type: ignore[misc]


def memory() -> dict[str, int]:
    """Return the peak resident memory of each program in MB."""
    peaks = {}
    for name, arguments in PROGRAMS.items():
        code = f"import resource, subprocess, sys; subprocess.run([sys.executable, *{arguments!r}], stdout=-3);"
        code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        peaks[name] = int(found.stdout) // 1024
    return peaks


def _run(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
