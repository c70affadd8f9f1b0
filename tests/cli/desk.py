"""A desk: a folder with settings and a source of things, where commands are run, most of them within this process."""

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors import logger
from connectors.cli import main
from connectors.engine import Engine, open_engine
from connectors.settings import EngineSettings
from connectors.store.connectors import ConnectorStore

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "connectors"]
SOURCE = '''\
import asyncio, json, sys
from pathlib import Path

from connectors.changes import Failed
from connectors.errors import AccessDenied
from connectors.fields import Field, Fields
from connectors.source import BaseDataSource


class Things(BaseDataSource):
    """The lines of a file: a document, or `fail ID REASON`, `wait` for ever, `stay` whatever is asked, `deny`,
    `remark TEXT`. While `token TEXT` stays the same, nothing has changed.

    `tell` says on stderr that this line was reached.
    """

    name = "Things"
    service_type = "things"
    fields = Fields(
        Field("file", "File of things", type=Path),
        Field("password", "Password", sensitive=True, required=False),
    )

    async def ping(self):
        pass

    async def changed(self, token, filtering=None):
        lines = Path(self.configuration.file).read_text().splitlines()
        now = next(({"token": line} for line in lines if line.startswith("token ")), None)
        return now is None or now != token, now

    async def get_docs(self, filtering=None):
        for line in Path(self.configuration.file).read_text().splitlines():
            match line.split(maxsplit=2):
                case ["fail", id, reason]:
                    yield Failed(id, reason)
                case ["token", _]:
                    pass
                case ["tell"]:
                    print("Reached.", file=sys.stderr, flush=True)
                case ["wait"]:
                    await asyncio.Event().wait()
                case ["stay"]:
                    try:
                        await asyncio.Event().wait()
                    finally:
                        await asyncio.Event().wait()
                case ["remember"]:
                    times = (await self.storage.get("times") or 0) + 1
                    await self.storage.set("times", times)
                    yield {"_id": "a", f"times_{times}": True}
                case ["remark", *text]:
                    self.remark(" ".join(text))
                case ["deny"]:
                    raise AccessDenied("No more things.", hint="Ask for more.")
                case _:
                    yield json.loads(line)

    async def get_ids(self, filtering=None):
        async for one in self.get_docs(filtering):
            yield one
'''


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class Desk:
    """Runs commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "things.py").write_text(SOURCE)
        (folder / "config.yml").write_text("sources: {things: 'things:Things'}\nallowed_paths: [.]\n")

    @property
    def environ(self) -> dict[str, str]:
        """What a command finds in its environment."""
        return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{self.folder}", "CONNECTORS__LOG__LEVEL": "error"}

    def put(self, *lines: str | dict[str, Any]) -> None:
        """Say what things there are."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (self.folder / "things.txt").write_text("".join(f"{text}\n" for text in texts))

    def put_many(self, number: int) -> None:
        """Say that there are so many."""
        self.put(*({"_id": f"thing-{one}"} for one in range(number)))

    def create(self, connector_id: str = "shelf", index: str = "shelf") -> None:
        """Create a connector of the things."""
        described = {"id": connector_id, "service_type": "things", "index_name": index}
        given = json.dumps({**described, "configuration": {"file": str(self.folder / "things.txt")}})
        (self.folder / "described.json").write_text(given)
        done = self.run("create", "--from-file", "described.json")
        assert (done.returncode, done.stderr) == (0, "")

    def run(self, *arguments: str, **environ: str) -> Done:
        """Run a command to its end, as a process of its own would: starting one takes a second."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(self.folder)
            patched.syspath_prepend(str(self.folder))
            for name, value in {**self.environ, **environ}.items():
                patched.setenv(name, value)
            patched.setattr(sys, "argv", ["connectors", *arguments])
            patched.setattr(sys, "stdin", io.StringIO())
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main()
                except SystemExit as ended:
                    code = int(ended.code or 0)
        logger.set_up(level="debug", style="text")
        return Done(code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command that prints JSON, and return that."""
        done = self.run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (code, "")
        return json.loads(done.stdout)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """Provide the engine that the commands use."""
        async with open_engine(EngineSettings(data=self.folder / "data")) as engine:
            yield engine

    def connector(self, connector_id: str) -> dict[str, Any]:
        """Return what is stored of a connector."""

        async def read() -> dict[str, Any]:
            async with self.engine() as engine:
                found = await (await ConnectorStore.open(engine)).get(connector_id)
                assert found is not None
                return dict(found.document)

        return asyncio.run(read())

    def ids(self, index: str) -> set[str]:
        """Return the ids of the documents in an index."""

        async def read() -> set[str]:
            async with self.engine() as engine:
                await engine.data.refresh(index)
                page = await engine.data.search(index, {"size": 10_000, "_source": False})
                return {hit.id for hit in page.hits}

        return asyncio.run(read())
