"""The first words of a server of SQL Server on a real socket: what it takes to log in, encrypted or not."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Final

OFF, ON, NONE = 0, 1, 2
"""How a server answers who asks for encryption: of logging in alone, of everything, or that it has none."""
_PRELOGIN: Final = 18
_REPLY: Final = 4


@dataclass
class Gate:
    """A server that answers one who logs in: with an error, where a number is given, and else with a welcome."""

    encryption: int
    context: ssl.SSLContext | None = None
    error: tuple[int, str] | None = None
    database: str = "shop"
    heard: bytearray = field(default_factory=bytearray)
    """All that came, as whoever listens would have it."""
    logins: list[bytes] = field(default_factory=list)
    port: int = 0

    def serve(self, listening: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError, EOFError):
            while True:
                wire, _ = listening.accept()
                with wire, suppress(OSError, ssl.SSLError, EOFError):
                    self._welcome(wire)

    def _welcome(self, wire: socket.socket) -> None:
        self._packet(wire)
        options = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 255) + b"\x10\0\x10\x27\0\0" + bytes([self.encryption])
        wire.sendall(_framed(_REPLY, options))
        tls = self._secured(wire) if self.encryption != NONE else None
        if tls is None:
            self.logins.append(self._packet(wire))
        else:
            self.logins.append(tls.read_packet(wire, self))
        answer = _framed(_REPLY, self._answer())
        wire.sendall(tls.written(answer) if tls is not None and self.encryption == ON else answer)
        wire.recv(1)  # until it is closed

    def _secured(self, wire: socket.socket) -> "_Secured":
        assert self.context is not None
        tls = _Secured(self.context)
        while not tls.shaken(self._packet(wire)):
            wire.sendall(_framed(_PRELOGIN, tls.outgoing.read()))
        wire.sendall(_framed(_PRELOGIN, tls.outgoing.read()))
        return tls

    def _answer(self) -> bytes:
        done = struct.pack("<BHHQ", 0xFD, 0 if self.error is None else 2, 0, 0)
        if self.error is not None:
            number, words = self.error
            body = struct.pack("<iBB", number, 1, 14) + struct.pack("<H", len(words)) + words.encode("utf-16-le")
            body += _short("sql") + _short("") + struct.pack("<i", 1)
            return struct.pack("<BH", 0xAA, len(body)) + body + done
        moved = b"\x01" + _short(self.database) + _short("master")
        welcome = b"\x01" + struct.pack(">I", 0x74000004) + _short("Microsoft SQL Server") + b"\x10\0\x03\xe8"
        tokens = struct.pack("<BH", 0xE3, len(moved)) + moved + struct.pack("<BH", 0xAD, len(welcome)) + welcome
        return tokens + done

    def _packet(self, wire: socket.socket) -> bytes:
        head = self._heard(wire, 8)
        return self._heard(wire, struct.unpack(">H", head[2:4])[0] - 8)

    def _heard(self, wire: socket.socket, size: int) -> bytes:
        found = b""
        while len(found) < size:
            some = wire.recv(size - len(found))
            if not some:
                raise EOFError
            found += some
        self.heard += found
        return found


class _Secured:
    """TLS as this protocol has it: the handshake in packets of its own, and then everything on the wire."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inside = context.wrap_bio(self._incoming, self.outgoing, server_side=True)

    def shaken(self, some: bytes) -> bool:
        """Take in some of the handshake, and return whether it is done."""
        self._incoming.write(some)
        try:
            self._inside.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read_packet(self, wire: socket.socket, gate: Gate) -> bytes:
        """Return what one packet holds."""
        found = b""
        while len(found) < 8 or len(found) < struct.unpack(">H", found[2:4])[0]:
            with suppress(ssl.SSLWantReadError):
                found += self._inside.read(65_536)
                continue
            some = wire.recv(65_536)
            if not some:
                raise EOFError
            gate.heard += some
            self._incoming.write(some)
        return found[8:]

    def written(self, some: bytes) -> bytes:
        """Return something encrypted."""
        self._inside.write(some)
        return self.outgoing.read()


def _framed(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BBHHBB", kind, 1, 8 + len(payload), 0, 1, 0) + payload


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


@contextmanager
def serving(gate: Gate) -> Iterator[Gate]:
    """Run a server on a free port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        gate.port = listening.getsockname()[1]
        thread = Thread(target=gate.serve, args=(listening,), daemon=True)
        thread.start()
        yield gate
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()
