"""The rows that a statement returns, as the driver receives them, whether their texts are in UTF-8 or not."""

from collections.abc import Callable
from typing import Any, Final

from asyncmy.protocol import parse_rows_from_buffer

from connectors.sources._sql.garbled import ESCAPING, sorted_out
from connectors.sources._sql.session import Values

_BYTES: Final = 0
_UTF8: Final = 1
"""How the driver decodes values: not at all, and as texts."""
_Converter = tuple[int, str | None, Callable[[Any], Any] | None]


class Rows:
    """The rows of a statement that was sent, of which the driver has read what its columns are.

    The driver raises at the first text that is none, and has then read beyond that row. Here rows are taken from its
    buffer by the same functions, and once more where there is such a text among them.
    """

    def __init__(self, cursor: Any) -> None:  # noqa: ANN401 - the driver is not typed
        self._result = cursor._result  # noqa: SLF001
        self._connection = self._result.connection
        self._strict: tuple[_Converter, ...] = tuple(self._result.converters)
        self._escaping = tuple(map(_escaping, self._strict))

    async def some(self) -> list[Values]:
        """Return the rows that are there, of what was received at once; one at least, none at the end.

        To ask for so many rows would have the driver wait for all of them, however large they are.
        """
        if self._result.connection is None:
            return []
        try:
            received = self._received(self._strict)
        except UnicodeDecodeError:
            received = sorted_out(self._received(self._escaping))
        return received or await self._next()

    def _received(self, converters: tuple[_Converter, ...]) -> list[Values]:
        """Return the rows that were received as a whole. Nothing is taken where it raises."""
        wire, rows = self._connection._proto, list[Values]()  # noqa: SLF001
        wire.pos, self._connection._next_seq_id = parse_rows_from_buffer(  # noqa: SLF001
            wire.buffer,
            wire.pos,
            wire.length,
            converters,
            self._connection._next_seq_id,  # noqa: SLF001
            rows,
            self._connection._deprecate_eof,  # noqa: SLF001
        )
        return rows

    async def _next(self) -> list[Values]:
        """Wait for the next row."""
        packet = await self._connection.read_packet()
        if self._result._check_packet_is_eof(packet):  # noqa: SLF001
            self._result.unbuffered_active, self._result.connection = False, None
            return []
        try:
            return [packet.read_row(self._strict)]
        except UnicodeDecodeError:
            return sorted_out([packet.read_row(self._escaping)])


def _escaping(converter: _Converter) -> _Converter:
    how, _, made = converter
    if how != _UTF8:
        return converter
    return _BYTES, None, (_text if made is None else lambda raw: made(_text(raw)))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", ESCAPING)
