"""Tabular files: the rows of JSON Lines, CSV and Parquet files, of one file or of all below a folder."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePath
from typing import ClassVar, Final

from connectors.aio.threads import Drawings
from connectors.byoc import Filter
from connectors.changes import Failed
from connectors.dataset import Dataset, Key, Row, document_id
from connectors.errors import AccessDenied, ConfigurationError, DocumentSkipped, SourceError, SourceUnreachable
from connectors.fields import Configuration, Field, Fields
from connectors.predicate import ALWAYS, Predicate, fields_in
from connectors.source import BaseDataSource, Token
from connectors.sources._files.globs import Glob, InvalidGlob
from connectors.sources._files.settled import SETTLED_NS
from connectors.sources._files.walk import Entry, Walk, meant, shown
from connectors.sources._tables.delimited import AUTO, Csv
from connectors.sources._tables.format import Format, Numbered, Steps, Survey, Unreadable
from connectors.sources._tables.json_lines import JsonLines
from connectors.sources._tables.parquet import Parquet
from connectors.sources._tables.snapshot import Snapshot, reading

ROW: Final = "row"
"""The column of a row's number, followed by underscores while the file has a column of that name."""
_ENDINGS: Final = {
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_PATTERN: Final = "**/*.{jsonl,ndjson,csv,tsv,parquet,jsonl.gz,ndjson.gz,csv.gz,tsv.gz}"


class TabularFilesDataSource(BaseDataSource):
    """The rows of JSON Lines, CSV and Parquet files: each file is a dataset, each row a document.

    **Rows** are told apart by the columns of `key` in files that have these, else by their number in the file: of the
    line in which the row begins, or of its place in a Parquet file, from 1. The number is the column `row` then. Rows
    are read in the order of the file, in any case; `after` is the row to go on behind.

    **Types.** Parquet and JSON have their own. In CSV they are found by going over the whole file first: a column is
    of the narrowest type (boolean, integer of 64 bits, number, date, date-time) of which each of its texts is written
    the very same way, and text where there is none, so that `007`, `+49` and `1e5` stay what they are. An empty cell
    is None. The columns of the key stay texts. What was found is kept while the file is what it was.

    **What can't be read.** A row that can't be parsed (no JSON object, a wrong number of cells, bytes of another
    encoding, more than 16 MB) is reported and its document stays as it is. With a `key` its document is not known, so
    the walk ends in an error, and so it does for a file that is cut off or no longer what it was when it was opened.

    **Files that grow** are read as far as they went when they were opened. A last line without an end is a row if it
    can be parsed, and left out if it can't and the file has grown since. Write other changes to a new file and rename
    that. Two rows with the same key are two documents with the same id, which the sync reports.
    """

    name: ClassVar[str] = "Tabular files"
    service_type: ClassVar[str] = "tabular_files"
    fields: ClassVar[Fields] = Fields(
        Field("path", "File or folder", type=Path, example="/data/tables", tooltip="It is below `allowed_paths`."),
        Field(
            "pattern",
            "Files of the folder",
            default=_PATTERN,
            tooltip="A glob of paths below the folder: `**/*.csv` is any CSV file, `sales/*.jsonl` one of that folder.",
        ),
        Field(
            "key",
            "Key columns",
            type=list,
            list_type="str",
            required=False,
            tooltip="The columns that tell rows apart, in files that have all of them. Elsewhere a row is its number.",
        ),
        Field(
            "cursor_field",
            "Column of the last change",
            required=False,
            tooltip="A date or time that becomes the `_timestamp` of documents, in files that have this column.",
        ),
        Field(
            "format",
            "Format",
            default=AUTO,
            options={AUTO: "By the name", "json_lines": "JSON Lines", "csv": "CSV", "parquet": "Parquet"},
        ),
        Field(
            "delimiter",
            "Delimiter of CSV files",
            default=AUTO,
            options={AUTO: "By the first line", ",": "Comma", ";": "Semicolon", "tab": "Tab", "|": "Vertical bar"},
        ),
        Field(
            "encoding",
            "Encoding of CSV files",
            default="utf-8",
            advanced=True,
            tooltip="A file that begins with a byte order mark is read as that says.",
        ),
    )

    def __init__(self, configuration: Configuration, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        super().__init__(configuration)
        self._now_ns = now_ns
        self._surveys: dict[str, tuple[tuple[int, ...], Survey]] = {}
        self._drawings = Drawings()

    async def close(self) -> None:
        """Stop the walks that still go on."""
        await self._drawings.stop()

    async def validate_config(self) -> None:
        """Check the pattern and the encoding."""
        try:
            Glob(self.configuration.pattern)
        except InvalidGlob as error:
            raise ConfigurationError(f"The pattern {error}.", field="pattern") from None
        try:
            " ".encode(self.configuration.encoding)
        except (LookupError, ValueError):
            message = f"There is no encoding of texts {self.configuration.encoding!r}."
            raise ConfigurationError(message, field="encoding", hint="utf-8 and cp1252 are ones.") from None

    async def ping(self) -> None:
        """Look into the folder, or open the file."""
        await asyncio.to_thread(self._look)

    async def changed(self, token: Token | None, filtering: Filter | None = None) -> tuple[bool, Token | None]:
        """Compare the files by what the system says of them. Files that changed just now may change again unseen."""
        del filtering  # rules choose among rows, not among files
        [(digest, latest_ns)] = [found async for found in self._drawings.drawn(self._digest())]
        settled = latest_ns < self._now_ns() - SETTLED_NS
        return token is None or token.get("files") != digest, {"files": digest} if settled else None

    async def datasets(self) -> Sequence[Dataset]:
        """Return the files by name, each with the schema of its rows, for which it is read to its end."""
        return [dataset async for dataset in self._drawings.drawn(self._datasets())]

    def read(
        self,
        dataset: Dataset,
        columns: Sequence[str] | None = None,
        where: Predicate = ALWAYS,
        after: Key | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row | Failed]:
        """Yield the rows of a file in their order, with what is wanted, the key, and what `where` looks at.

        `where` is not used to leave out rows, so the limit counts only where there is none.
        """
        rows = self._rows(dataset, _wanted(dataset, columns, where), after)
        return self._drawings.drawn(_first(rows, limit) if limit is not None and where == ALWAYS else rows, enough=1)

    # What follows blocks, in steps: a generator yields an empty list when it has nothing yet.

    def _look(self) -> None:
        path = self.configuration.path
        if path.is_dir():
            Walk(path).check()
            return
        with self._opened(shown(path.name)) as file:
            file.content().peek(1)
        table = self._format(path.name)
        if isinstance(table, Parquet):
            _ = table.pyarrow

    def _entries(self) -> Iterator[list[Entry]]:
        path = self.configuration.path
        if path.is_dir():
            glob = Glob(self.configuration.pattern)
            for step in Walk(path).steps():
                yield [entry for entry in step if glob.matches(entry.relative)]
            return
        entry = Walk(path.parent).entry(path.name)
        if entry is None:
            raise SourceUnreachable(f"There is no file or folder {path}.", hint="Correct the path, or mount it.")
        yield [entry]

    def _digest(self) -> Generator[list[tuple[str, int]], None, None]:
        """Yield a hash of what tells the files from what they become, and the time of the latest change."""
        files: list[tuple[str, int, int, int, int]] = []
        for step in self._entries():
            for entry in step:
                stat = entry.stat
                files.append((entry.relative, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))
            yield []
        digest = hashlib.blake2b(repr(sorted(files)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        yield [(digest, max((max(file[2:4]) for file in files), default=0))]

    def _datasets(self) -> Generator[list[Dataset], None, None]:
        files: list[str] = []
        for step in self._entries():
            files += [entry.relative for entry in step]
            yield []
        for relative in sorted(files):
            with self._opened(shown(relative)) as file:
                survey = yield from self._survey(file)
            yield [self._dataset(file.name, survey)]

    def _rows(
        self, dataset: Dataset, columns: Collection[str] | None, after: Key | None
    ) -> Generator[list[Row | Failed], None, None]:
        with self._opened(dataset.name) as file:
            survey = yield from self._survey(file)
            if self._dataset(dataset.name, survey).primary_key != dataset.primary_key:
                raise SourceUnreachable(f"{dataset.name!r} has changed its columns since the files were listed.")
            is_numbered = dataset.primary_key == (_number_column(survey),)
            start = after[0] if is_numbered and after is not None else 0
            batches = self._format(dataset.name).batches(file, survey, columns, start)
            yield from _numbered(dataset, batches) if is_numbered else _keyed(dataset, batches, after)
            file.check()

    @contextmanager
    def _opened(self, name: str) -> Iterator[Snapshot]:
        """Open a file by the name of its dataset, below the folder and nowhere else."""
        path, relative = self.configuration.path, meant(name)
        walk = Walk(path if path.is_dir() else path.parent)
        wanted = Glob(self.configuration.pattern).matches(relative) if path.is_dir() else relative == path.name
        if not wanted or walk.entry(relative) is None:
            raise SourceUnreachable(f"There is no file {name!r} in {walk.root}.", hint="Correct the path, or mount it.")
        try:
            opened = walk.open(relative)
        except DocumentSkipped as error:  # it is a whole file of them
            kind = AccessDenied if isinstance(error.__context__, PermissionError) else SourceUnreachable
            raise kind(error.reason, hint="Let the user that this program runs as read it, or take it away.") from None
        with reading(name), Snapshot(opened, name) as file:
            yield file

    def _survey(self, file: Snapshot) -> Steps:
        """Return what is in a file, found out again only when it is not what it was."""
        identity, survey = self._surveys.get(file.name, ((), None))
        if survey is None or identity != file.identity:
            survey = yield from self._format(file.name).survey(file)
            self._surveys[file.name] = (file.identity, survey)
        return survey

    def _format(self, name: str) -> Format:
        ending = PurePath(name.lower().removesuffix(".gz")).suffix
        settings = self.configuration
        chosen = _ENDINGS.get(ending) if settings.format == AUTO else settings.format
        match chosen:
            case "json_lines":
                return JsonLines()
            case "parquet":
                return Parquet()
            case "csv":
                tab = settings.delimiter == "tab" or (settings.delimiter == AUTO and ending == ".tsv")
                return Csv("\t" if tab else settings.delimiter, settings.encoding, settings.key)
        hint = "Choose a format, or a pattern of files whose names end as their format does."
        raise ConfigurationError(f"The name of {name!r} does not say its format.", field="format", hint=hint)

    def _dataset(self, name: str, survey: Survey) -> Dataset:
        key, columns = tuple(self.configuration.key), survey.columns
        if not key or not columns.keys() >= set(key):
            key = (_number_column(survey),)
            columns = {key[0]: {"type": "integer", "minimum": 1}, **columns}
        cursor = self.configuration.cursor_field
        return Dataset(
            name,
            group=name.rpartition("/")[0] or None,
            schema={"type": "object", "properties": columns},
            primary_key=key,
            cursor_field=cursor if cursor in columns else None,
            rows=survey.rows,
        )


def _number_column(survey: Survey) -> str:
    name = ROW
    while name in survey.columns:
        name += "_"
    return name


def _wanted(dataset: Dataset, columns: Sequence[str] | None, where: Predicate) -> set[str] | None:
    """Return the names of the columns that are needed; None for all. A dotted field may lead into one of them."""
    if columns is None:
        return None
    looked_at = {name for field in fields_in(where) for name in (field, field.partition(".")[0])}
    moment = {dataset.cursor_field} if dataset.cursor_field and "_timestamp" in looked_at else set()
    return {*columns, *dataset.primary_key, *looked_at, *moment}


def _numbered(dataset: Dataset, batches: Iterator[list[Numbered]]) -> Generator[list[Row | Failed], None, None]:
    """Yield rows that are known by their numbers."""
    [column] = dataset.primary_key
    for batch in batches:
        rows: list[Row | Failed] = []
        for number, row in batch:
            if isinstance(row, Unreadable):
                failed = Failed(document_id(dataset.name, (number,)), f"Row {number} of {dataset.name!r} {row.reason}.")
                rows.append(failed)
            else:
                row[column] = number
                rows.append(row)
        yield rows


def _keyed(
    dataset: Dataset, batches: Iterator[list[Numbered]], after: Key | None
) -> Generator[list[Row | Failed], None, None]:
    """Yield rows that are known by their keys, in the order of the file, behind the one with that key."""
    is_behind = after is None
    for batch in batches:
        rows: list[Row | Failed] = []
        for number, row in batch:
            key = _key(dataset, number, row)
            if is_behind and not isinstance(row, Unreadable):
                rows.append(row)
            is_behind = is_behind or key == tuple(after or ())
        yield rows
    if not is_behind:
        hint = "It was taken away: begin again from the start."
        raise SourceError(f"{dataset.name!r} has no row with the key {after!r} to go on behind.", hint=hint)


def _key(dataset: Dataset, number: int, row: Row | Unreadable) -> Key:
    """Return the key of a row. Raises an error for a row that has none: its document would be taken for deleted."""
    if isinstance(row, Unreadable):
        reason = row.reason
    elif missing := [name for name in dataset.primary_key if name not in row]:
        reason = f"lacks {missing[0]!r}"
    else:
        return dataset.key_of(row)
    hint = "So its key is not known. Correct it, or leave `key` empty to tell rows apart by their numbers."
    raise SourceError(f"Row {number} of {dataset.name!r} {reason}.", hint=hint)


def _first(rows: Generator[list[Row | Failed], None, None], limit: int) -> Generator[list[Row | Failed], None, None]:
    """Yield so many rows, and what comes between them, of those that there are."""
    with closing(rows):
        for batch in rows if limit > 0 else ():
            taken: list[Row | Failed] = []
            for row in batch:
                taken.append(row)
                limit -= not isinstance(row, Failed)
                if limit == 0:
                    yield taken
                    return
            yield taken
