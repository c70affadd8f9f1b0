"""The stamp of a SQLite database: what is different of its files after anything was written."""

from dataclasses import dataclass
from os import stat_result
from pathlib import Path
from typing import Final

from connectors.sources._files.settled import SETTLED_NS

MAGIC: Final = b"SQLite format 3\x00"
HEADER_SIZE: Final = 100
_VERSIONS: Final = slice(18, 20)
_COUNTERS: Final = (slice(24, 28), slice(92, 96))
_WAL: Final = b"\x02\x02"


@dataclass(frozen=True)
class Stamp:
    """The database file and its write-ahead log: which they are, how long, when they were last written.

    Times are no finer than a file system's clock. So a stamp tells of every later write only if the last one was some
    time before: it is `settled` then.
    """

    text: str
    settled: bool
    quiet_wal: bool
    """Whether the database is in WAL mode and has no log, so that no program is using it."""

    @classmethod
    def of(cls, path: Path, header: bytes, now_ns: int) -> "Stamp":
        """Return the stamp of a database whose file begins with this header. Raises an `OSError`."""
        files = [path.stat()]
        try:
            log = path.with_name(f"{path.name}-wal").stat()
        except FileNotFoundError:
            log = None
        if log is not None and log.st_size:  # an empty one is left by readers and says nothing
            files.append(log)
        parts = [":".join(map(str, _identity(one))) for one in files]
        counters = "".join(header[place].hex() for place in _COUNTERS)
        latest = max(max(one.st_mtime_ns, one.st_ctime_ns) for one in files)
        quiet = header[_VERSIONS] == _WAL and log is None
        return cls(" ".join([*parts, counters]), latest + SETTLED_NS < now_ns, quiet)


def _identity(file: stat_result) -> tuple[int, ...]:
    return (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns)
