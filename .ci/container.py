#!/usr/bin/env python3
"""Does what the Dockerfile says without Docker, in a clean folder and an empty environment, and starts the result."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the steps, then the entry point and the health check; return 1 if one does not do what it should."""
    steps = [line.split(" ", 1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1].isupper()]
    with tempfile.TemporaryDirectory(prefix="connectors-container-") as folder:
        app, python = Path(folder) / "app", Path(folder) / "python"
        Path(folder).chmod(0o755)
        app.mkdir()
        venv.create(python, with_pip=True)
        environ = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        environ |= {"PATH": f"{python}/bin:/usr/bin:/bin", "PIP_QUIET": "1"}
        for word, rest in steps:
            if word == "COPY":
                copy(rest.split(), app)
            elif word == "RUN":
                subprocess.run(["bash", "-euc", rest], cwd=app, env=environ, check=True)
        settings = dict(steps)
        user = int(settings["USER"].partition(":")[0]) if os.geteuid() == 0 else None
        start = json.loads(settings["ENTRYPOINT"])
        check = json.loads(settings["HEALTHCHECK"].partition("CMD ")[2])
        version = run([*start, "--version"], app, environ, user)
        first = run([*start, *json.loads(settings["CMD"])], app, environ, user)
        # Nothing listens on this port, so the health check has to fail, and to say why.
        health = run(check, app, {**environ, "CONNECTORS__ENGINE__HOST": "http://127.0.0.1:1"}, user)
        size = sum(path.stat().st_size for path in python.rglob("*") if path.is_file()) / 2**20
    print(f"{version.stdout.strip()}; health check without an engine: {health.stderr.splitlines()[:1]}; {size:.0f} MB")
    print(first.stdout + first.stderr, end="")
    refused = health.returncode == 1 and "connection refused" in health.stderr
    return int(version.returncode != 0 or first.returncode != 0 or not refused)


def copy(names: list[str], app: Path) -> None:
    """Copy files and folders as a COPY step does."""
    *sources, target = names
    for source in (ROOT / name for name in sources):
        if source.is_dir():
            shutil.copytree(source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, app / target)


def run(command: list[str], app: Path, environ: dict[str, str], user: int | None) -> subprocess.CompletedProcess[str]:
    """Run a command as the container's user."""
    return subprocess.run(
        command, check=False, cwd=app, env=environ, user=user, capture_output=True, text=True, timeout=60
    )


if __name__ == "__main__":
    sys.exit(main())
