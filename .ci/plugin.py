#!/usr/bin/env python3
"""Installs the example plugin as somebody else would, sees that it is found by its entry point, and runs its tests."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "docs" / "examples" / "connectors-maildir"


def main() -> int:
    """Return 1 if the plugin can't be installed, is not found, or fails its tests."""
    with tempfile.TemporaryDirectory(prefix="connectors-plugin-") as folder:
        # Beside the environment and not in it, so that what is developed there stays what it is.
        install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--target", folder]
        subprocess.run([sys.executable, *install, str(PLUGIN)], check=True)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(ROOT)])}
        command = [sys.executable, "-m", "connectors", "sources", "--json"]
        listed = subprocess.run(command, check=True, env=environ, capture_output=True, text=True).stdout
        found = [one for one in json.loads(listed) if one["service_type"] == "maildir"]
        print(f"found by its entry point: {json.dumps(found)}")
        tests = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests"], check=False, cwd=PLUGIN, env=environ)
    return int(len(found) != 1 or tests.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
