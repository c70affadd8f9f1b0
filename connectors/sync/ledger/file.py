"""The file of a ledger's copy: a header, then blocks of entries, with a checksum behind each that covers all before it.

    header   magic, version, lengths of name and stamp, number of entries; name; stamp; checksum
    block    number of its entries; their keys; their fingerprints; checksum

Numbers are little-endian. The entries stand in the order of their keys, so that a ledger merely appends them.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import xxhash

from connectors.errors import ScanIncomplete
from connectors.sync.ledger.ledger import Ledger

VERSION: Final = 1
_MAGIC: Final = b"\x89ledger\n"
_BEGINNING: Final = struct.Struct("<8sIIIQ")
_COUNT: Final = struct.Struct("<I")
_CHECKSUM_BYTES: Final = 8
_KEY_BYTES: Final = 16
_FINGERPRINT_BYTES: Final = 8
_ENTRY_BYTES: Final = _KEY_BYTES + _FINGERPRINT_BYTES
_MOST_ENTRIES: Final = 65_536
"""In a block, so that a number that makes no sense takes no memory."""
_MOST_BYTES: Final = 16_000_000
"""Of a name or a stamp."""


class UnsoundFile(Exception):
    """A file that is not, or not wholly, what was once written. Nobody but the folder of copies sees it."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself: whose copy it is, the stamp that it is true to, and how many entries it has."""

    name: str
    stamp_json: bytes
    entries: int


def write(file: BinaryIO, name: str, stamp_json: bytes, ledger: Ledger) -> None:
    """Write what a ledger holds. Raises an `OSError`."""
    encoded = name.encode("utf-8", "surrogatepass")
    writing = _Writing(file)
    writing.put(_BEGINNING.pack(_MAGIC, VERSION, len(encoded), len(stamp_json), ledger.held), encoded, stamp_json)
    for keys, fingerprints in ledger.entries():
        if len(keys):
            values = fingerprints.astype("<i8", copy=False)
            writing.put(_COUNT.pack(len(keys)), keys.astype("<u8", copy=False).data.cast("B"), values.data.cast("B"))


def read_header(file: BinaryIO) -> Header:
    """Return what the file says of itself. Raises `UnsoundFile` and `OSError`."""
    return _Reading(file).header()


def read(file: BinaryIO, name: str) -> tuple[Header, Ledger]:
    """Return the ledger that was written under this name. Raises `UnsoundFile` and `OSError`."""
    reading = _Reading(file)
    header = reading.header()
    if header.name != name:
        raise UnsoundFile("It is the copy of another ledger.")
    ledger = Ledger(header.entries)
    while ledger.held < header.entries:
        reading.block(ledger)
    if file.read(1):
        raise UnsoundFile("It has more behind its end.")
    return header, ledger


class _Writing:
    """Parts that are written to a file, each followed by the checksum of all so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = xxhash.xxh3_64()

    def put(self, *pieces: bytes | memoryview) -> None:
        for piece in pieces:
            self._sum.update(piece)
            self._file.write(piece)
        self._file.write(self._sum.digest())


class _Reading:
    """Parts that are read from a file, each checked before it is used."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = xxhash.xxh3_64()

    def header(self) -> Header:
        magic, version, name_length, stamp_length, entries = _BEGINNING.unpack(self._take(_BEGINNING.size))
        if magic != _MAGIC:
            raise UnsoundFile("It is no copy of a ledger.")
        if version != VERSION:
            raise UnsoundFile(f"It is of version {version}, and this program reads {VERSION}.")
        if max(name_length, stamp_length) > _MOST_BYTES:
            raise UnsoundFile("Its header is damaged.")
        name, stamp_json = self._take(name_length), self._take(stamp_length)
        self._check("Its header is damaged.")
        return Header(name.decode("utf-8", "surrogatepass"), stamp_json, entries)

    def block(self, ledger: Ledger) -> None:
        [count] = _COUNT.unpack(self._take(_COUNT.size))
        if not 0 < count <= _MOST_ENTRIES:
            raise UnsoundFile("The length of a block is damaged.")
        content = self._take(count * _ENTRY_BYTES)
        self._check("A block is damaged.")
        keys = np.frombuffer(content, "<u8", 2 * count).reshape(-1, 2)
        fingerprints = np.frombuffer(content, "<i8", count, count * _KEY_BYTES)
        try:
            ledger.load(keys, fingerprints)
        except ScanIncomplete:
            raise UnsoundFile("It has a document twice.") from None

    def _take(self, length: int) -> bytes:
        content = self._file.read(length)
        if len(content) < length:
            raise UnsoundFile("It ends too early.")
        self._sum.update(content)
        return content

    def _check(self, reason: str) -> None:
        expected = self._sum.digest()
        found = self._file.read(_CHECKSUM_BYTES)
        if found != expected:
            raise UnsoundFile("It ends too early." if len(found) < len(expected) else reason)
