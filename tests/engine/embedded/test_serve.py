"""`connectors engine serve` as its users meet it: official clients, wrong requests, and a process that is killed."""

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch, helpers

from connectors.engine import open_engine
from connectors.engine.bulk import index_line
from connectors.engine.scan import Walk
from connectors.errors import EngineUnreachable
from connectors.secret import Secret
from connectors.settings import EngineSettings

ROOT = Path(__file__).parent.parent.parent.parent


@dataclass
class Server:
    process: "subprocess.Popen[str]"
    url: str
    key: str

    @property
    def settings(self) -> EngineSettings:
        return EngineSettings(host=self.url, api_key=Secret(self.key), attempts=1)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def serve(data: Path, *more: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "connectors", "engine", "serve", "--data", str(data), "--port", "0", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        second = "" if "--no-auth" in more else process.stdout.readline()
        try:
            yield Server(process, first.split()[-1], second.split()[-1] if second else "")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)


def ask(url: str, headers: dict[str, str] | None = None, *, put: bytes | None = None) -> tuple[int, Any]:
    method = "GET" if put is None else "PUT"
    request = urllib.request.Request(url, data=put, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_official_client_works_unmodified(tmp_path: Path) -> None:
    with serve(tmp_path) as server, Elasticsearch(server.url, api_key=server.key) as client:
        documents = ({"_index": "docs", "_id": str(number), "n": number} for number in range(2_500))
        assert helpers.bulk(client, documents, refresh=True) == (2_500, [])
        assert client.count(index="docs")["count"] == 2_500
        found = {hit["_id"]: hit["_source"]["n"] for hit in helpers.scan(client, index="docs", size=700)}
        assert found == {str(number): number for number in range(2_500)}
        page = client.search(index="docs", query={"range": {"n": {"gte": 2_498}}}, sort=["n"])
        assert [hit["_source"] for hit in page["hits"]["hits"]] == [{"n": 2_498}, {"n": 2_499}]
        assert client.cat.indices(index="docs", h="index,docs.count").body == "docs 2500\n"


async def test_and_so_does_the_asynchronous_one(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        async with AsyncElasticsearch(server.url, api_key=server.key) as client:
            documents = ({"_index": "docs", "_id": str(number), "n": number} for number in range(1_500))
            assert await helpers.async_bulk(client, documents, refresh=True) == (1_500, [])
            found = [hit["_id"] async for hit in helpers.async_scan(client, index="docs", size=400)]
            assert sorted(found, key=int) == [str(number) for number in range(1_500)]


def test_whoever_is_not_let_in_is_told_why(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        key = {"authorization": f"ApiKey {server.key}"}
        assert ask(server.url)[0] == 401
        assert ask(server.url, {"authorization": "ApiKey wrong"})[0] == 401
        assert ask(server.url, key)[0] == 200
        assert ask(server.url, key | {"host": "elsewhere.example.org"})[0] == 403
        document = f"{server.url}/docs/_doc/1"
        assert ask(document, key | {"content-type": "text/plain"}, put=b"{}")[0] == 406
        assert ask(document, key | {"content-type": "application/json"}, put=b"{}")[0] == 201


def test_without_a_key_everybody_on_this_machine_is_let_in(tmp_path: Path) -> None:
    with serve(tmp_path, "--no-auth") as server:
        assert ask(server.url)[0] == 200


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with serve(tmp_path, "--no-auth") as server:
        body = b'{"a":"' + b"x" * (100 * 2**20) + b'"}'
        status, answer = ask(f"{server.url}/docs/_doc/1", {"content-type": "application/json"}, put=body)
        assert (status, answer["status"]) == (413, 413)
        assert ask(server.url)[0] == 200


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        command = [sys.executable, "-m", "connectors", "engine", "serve", "--data", str(tmp_path), "--port", "0"]
        second = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=30)
        assert second.returncode == 1
        assert f"is in use by the process {server.process.pid}." in second.stderr
        assert "Traceback" not in second.stderr


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "connectors", "engine", "serve", "--data", str(tmp_path), "--port", port]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: Nothing can be served at 127.0.0.1, port {port}: address already in use.\n"


@pytest.mark.parametrize("seed", range(3))
async def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    acknowledged: set[str] = set()
    enough, reached = random.Random(seed).randrange(500, 3_000), asyncio.Event()

    async def write(server: Server, worker: int) -> None:
        async with open_engine(server.settings) as engine:
            for batch in range(10_000):
                ids = [f"{worker}-{batch}-{number}" for number in range(20)]
                body = b"".join(index_line(one) + b'{"t":"some words"}\n' for one in ids)
                try:
                    answer = await engine.data.bulk("docs", body, operations=len(ids))
                    if batch % 5 == 4:
                        await engine.data.refresh("docs")
                except EngineUnreachable:
                    return
                assert all(item["index"].ok for item in answer.items)
                acknowledged.update(ids)
                if len(acknowledged) >= enough:
                    reached.set()

    with serve(tmp_path) as server:
        writers = [asyncio.create_task(write(server, worker)) for worker in range(3)]
        await reached.wait()
        async with open_engine(server.settings) as engine:
            before = await engine.indices.stamp("docs")
        server.kill()
        await asyncio.gather(*writers)
    with serve(tmp_path) as server:
        async with open_engine(server.settings) as engine:
            await engine.data.refresh("docs")
            after = await engine.indices.stamp("docs")
            found = [hit.id async for page in engine.data.scan(Walk("docs", page_size=333)) for hit in page]
            words = await engine.data.count("docs", {"match": {"t": "words"}})
    assert len(found) == len(set(found)) == words
    assert acknowledged <= set(found)
    # Beyond what was acknowledged there may be what was under way: at most one bulk a worker.
    assert len(set(found) - acknowledged) <= 3 * 20
    assert before is not None
    assert after is not None
    # Another process, the same history: whoever kept the stamp can go on from it.
    assert after.advance_since(before) is not None
