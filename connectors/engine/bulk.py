"""The wire format of bulk requests: action lines made of bytes, and what became of each."""

import re
from typing import ClassVar, Final

import msgspec

from connectors.engine.records import Failure, Revision

_encode: Final = msgspec.json.Encoder().encode
_LARGEST_VERSION: Final = 2**63 - 1
_CURRENT: Final = re.compile(r".*current version \[([0-9]{1,19})\]", re.DOTALL)
"""The last such words of a reason: an id stands before them, and may say the same."""
ANSWER_PATH: Final = "took,errors,items"


def index_line(doc_id: str, *, version: int | None = None, expected: Revision | None = None) -> bytes:
    """Return the line before a document that is to be written, whether or not it exists.

    With `version` (external, equal or higher) it is written only over a version that is not higher; with `expected`
    only over that revision. The two can't be combined.
    """
    if version is not None and expected is None:
        return index_template(version) % _encode(doc_id)
    return b'{"index":{"_id":' + _encode(doc_id) + _condition(version, expected) + b"}}\n"


def index_template(version: int) -> bytes:
    """Return `index_line` for any id under that version, to be filled in (`%`) with the id as JSON."""
    return b'{"index":{"_id":%%b,"version":%d,"version_type":"external_gte"}}\n' % version


def create_line(doc_id: str) -> bytes:
    """Return the line before a document that is to be written only if there is none of that id."""
    return b'{"create":{"_id":' + _encode(doc_id) + b"}}\n"


def delete_line(doc_id: str, *, version: int | None = None, expected: Revision | None = None) -> bytes:
    """Return the line that deletes a document, under the same conditions as `index_line`; no document follows it."""
    return b'{"delete":{"_id":' + _encode(doc_id) + _condition(version, expected) + b"}}\n"


def _condition(version: int | None, expected: Revision | None) -> bytes:
    if expected is not None:
        if version is not None:
            raise ValueError("a version can't be combined with an expected revision")
        return b',"if_seq_no":%d,"if_primary_term":%d' % (expected.seq_no, expected.primary_term)
    return b"" if version is None else b',"version":%d,"version_type":"external_gte"' % version


class BulkItem(msgspec.Struct, frozen=True, gc=False):
    """What became of one action.

    An index, create or delete that was applied carries its `seq_no`, whatever its status: count by it. (An update that
    changed nothing carries an old one, and a pipeline's drop none.)
    """

    OK: ClassVar[frozenset[str]] = frozenset({"created", "updated", "deleted", "not_found"})

    status: int
    index: str = msgspec.field(name="_index")
    id: str | None = msgspec.field(name="_id", default=None)
    result: str | None = None
    version: int | None = msgspec.field(name="_version", default=None)
    seq_no: int | None = msgspec.field(name="_seq_no", default=None)
    primary_term: int | None = msgspec.field(name="_primary_term", default=None)
    error: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether the index now holds what the action wanted; anything else, a pipeline's drop too, is not ok."""
        return self.error is None and self.result in self.OK

    @property
    def met_version(self) -> int | None:
        """The version that a conflict (409) was met with: of a document, or of the deletion of one.

        Only the words of the engine tell it, so it may be unknown: see docs/engines.md.
        """
        if self.status != 409 or self.error is None or self.error.reason is None:
            return None
        found = _CURRENT.match(self.error.reason)
        version = int(found[1]) if found is not None else 0
        return version if 0 < version <= _LARGEST_VERSION else None


class BulkAnswer(msgspec.Struct, frozen=True):
    """What became of a bulk request: `items` in the order of its actions, each under the name of its action."""

    took: int
    errors: bool
    items: list[dict[str, BulkItem]]
