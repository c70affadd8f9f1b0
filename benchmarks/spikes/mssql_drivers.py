"""How fast drivers of SQL Server read rows: the same bytes for each, from a socket that says what a server would.

pip install pymssql
python -m benchmarks.spikes.mssql_drivers
"""

import multiprocessing
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module

ROWS = 100_000
ROUNDS = 3
DRIVERS = ("pytds", "pymssql")
_COLLATION = bytes.fromhex("0904d00034")
_PAYLOAD = 4_096 - 8
"""What a full packet holds: the pure one takes all but the last to be full, as they are from a server."""
_DONE = struct.pack("<BHHQ", 0xFD, 0, 0, 0)


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _framed(payload: bytes) -> bytes:
    parts = [payload[start : start + _PAYLOAD] for start in range(0, len(payload), _PAYLOAD)]
    ends = [0] * (len(parts) - 1) + [1]
    return b"".join(
        struct.pack(">BBHHBB", 4, end, 8 + len(part), 0, 1, 0) + part for part, end in zip(parts, ends, strict=True)
    )


def _result() -> bytes:
    types = {
        "id": b"\x7f",
        "name": b"\xe7" + struct.pack("<H", 200) + _COLLATION,
        "price": b"\x6a\x09\x0c\x02",
        "updated_at": b"\x2a\x06",
        "flag": b"\x32",
        "text": b"\xe7" + struct.pack("<H", 8000) + _COLLATION,
    }
    head = struct.pack("<BH", 0x81, len(types))
    head += b"".join(struct.pack("<IH", 0, 0) + kind + _short(name) for name, kind in types.items())
    found = [head]
    for number in range(ROWS):
        name, text = (one.encode("utf-16-le") for one in (f"Person {number}", f"Größe: {number}{'x' * 160}"))
        found += [
            b"\xd1" + struct.pack("<q", number),
            struct.pack("<H", len(name)) + name,
            b"\x09\x01" + struct.pack("<Q", number * 100 // 7),
            b"\x08" + struct.pack("<Q", number % 86_400 * 1_000_000)[:5] + struct.pack("<I", 739_000)[:3],
            bytes([number % 2]),
            struct.pack("<H", len(text)) + text,
        ]
    return _framed(b"".join(found) + _DONE)


def _serve(listening: socket.socket) -> None:
    moved, welcome = (
        b"\x01" + _short("shop") + _short("master"),
        b"\x01" + struct.pack(">I", 0x74000004) + _short("Microsoft SQL Server") + b"\x10\0\x03\xe8",
    )
    tokens = struct.pack("<BH", 0xE3, len(moved)) + moved + struct.pack("<BH", 0xAD, len(welcome)) + welcome
    login, result, nothing = _framed(tokens + _DONE), _result(), _framed(_DONE)
    options = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 255) + b"\x10\0\x10\x27\0\0\x02"
    while True:
        wire, _ = listening.accept()
        with wire, suppress(OSError):
            while head := wire.recv(8, socket.MSG_WAITALL):
                body = wire.recv(struct.unpack(">H", head[2:4])[0] - 8, socket.MSG_WAITALL)
                answers = {18: _framed(options), 16: login}
                asked = "SELECT * FROM people".encode("utf-16-le") in body
                wire.sendall(answers.get(head[0], result if asked else nothing))


def _read(driver: str, port: int) -> None:
    module = import_module(driver)
    if driver == "pytds":
        connection = module.connect("127.0.0.1", "shop", "u", "p", port=port, autocommit=True)
    else:
        connection = module.connect("127.0.0.1", "u", "p", "shop", port=str(port), tds_version="7.4", encryption="off")
    cursor = connection.cursor()
    began = time.perf_counter(), time.process_time()
    cursor.execute("SELECT * FROM people")
    count = 0
    last: tuple[object, ...] = ()
    while some := cursor.fetchmany(1_000):
        count, last = count + len(some), some[-1]
    assert count == ROWS
    print(time.perf_counter() - began[0], time.process_time() - began[1], [type(one).__name__ for one in last], sep="|")


def _measured(driver: str, port: int) -> tuple[float, float, str]:
    words = [sys.executable, "-m", "benchmarks.spikes.mssql_drivers", driver, str(port)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    took_s, cpu_s, kinds = done.stdout.split("|")
    return float(took_s), float(cpu_s), kinds.strip()


def main() -> None:
    """Print the rows a second of each driver, and its processor time for each of them in microseconds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(listening,), daemon=True)
        server.start()
        for driver in DRIVERS:
            took_s, cpu_s, kinds = min(_measured(driver, listening.getsockname()[1]) for _ in range(ROUNDS))
            print(driver, f"{ROWS / took_s:,.0f}", f"{1e6 * cpu_s / ROWS:.1f}", kinds, sep=" | ")
        server.terminate()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _read(sys.argv[1], int(sys.argv[2]))
    else:
        main()
