import asyncio
import base64
import codecs
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import DocumentSkipped
from connectors.sync.content.extraction import SLICE_BYTES, PipelineAttachment, PlainText, bytes_of

MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


async def body_of(content: bytes) -> str | None:
    fields = await PlainText().fields_of(content, "some.txt")
    assert fields.keys() <= {"body"}
    return fields.get("body")


@given(TEXTS)
def test_utf_8_is_text(text: str) -> None:
    assert asyncio.run(body_of(text.encode())) == text.removeprefix("\ufeff")


@given(TEXTS, st.sampled_from(sorted(MARKED)))
def test_what_a_mark_says_is_text_without_the_mark(text: str, encoding: str) -> None:
    assert asyncio.run(body_of(MARKED[encoding] + text.encode(encoding))) == text


@pytest.mark.parametrize("mark", [b"", *MARKED.values()])
async def test_nothing_is_an_empty_text(mark: bytes) -> None:
    assert await body_of(mark) == ""


@pytest.mark.parametrize(
    "content",
    [
        "Grüße".encode("latin-1"),
        "Grüße".encode()[:3],
        "text".encode("utf-16-le"),
        b"text\0",
        codecs.BOM_UTF8 + b"\xff",
        codecs.BOM_UTF16_LE + b"odd",
        codecs.BOM_UTF16_LE + b"\x00\xd8",
        codecs.BOM_UTF16_LE + "nul\0".encode("utf-16-le"),
        codecs.BOM_UTF32_BE + b"\x00\x11\x00\x00",
        b"\xed\xa0\x80",
        b"\x89PNG\r\n\x1a\n",
    ],
)
async def test_anything_else_has_no_text(content: bytes) -> None:
    assert await body_of(content) is None


async def test_control_characters_become_spaces() -> None:
    assert await body_of(b"a\x1b[1mb\x07\x7f\tc\r\nd\x0ce") == "a [1mb  \tc\r\nd e"
    assert await body_of("\ufeffä\x01ö".encode("utf-16-le")) == "ä ö"


@pytest.mark.parametrize("encoding", sorted(MARKED))
@pytest.mark.parametrize("shift", range(4))
async def test_a_character_across_a_seam_stays_whole(encoding: str, shift: int) -> None:
    text = "x" * shift + "é€𝄞" * (SLICE_BYTES // 4)
    assert await body_of(MARKED[encoding] + text.encode(encoding)) == text


async def test_broken_bytes_behind_the_first_slice_are_found() -> None:
    assert await body_of(b"x" * SLICE_BYTES * 2 + b"\xff") is None
    assert await body_of(b"x" * SLICE_BYTES * 2 + b"\0") is None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES + 2])
async def test_an_attachment_is_the_content_in_base64(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    fields = await PipelineAttachment().fields_of(content, None)
    assert fields == {"_attachment": base64.b64encode(content).decode()}
    assert await bytes_of(fields["_attachment"]) == content


async def test_an_attachment_may_be_bytes_or_have_lines() -> None:
    content = bytes(range(256)) * 4
    assert await bytes_of(content) == content
    assert await bytes_of(base64.encodebytes(content).decode()) == content
    assert await bytes_of(base64.encodebytes(content).decode().replace("\n", "\r\n")) == content


@pytest.mark.parametrize(
    "attachment", [5, {}, "abc", "ab c", "äbcd", "=", "YQ==YQ==", "A" * (SLICE_BYTES - 4) + "YQ==YWJj", "\ud800"]
)
async def test_what_is_no_base64_is_refused(attachment: object) -> None:
    with pytest.raises(DocumentSkipped, match="neither bytes nor base64"):
        await bytes_of(attachment)


@pytest.mark.parametrize("extractor", [PlainText(), PipelineAttachment()])
async def test_a_long_content_gives_others_their_turn(extractor: PlainText | PipelineAttachment) -> None:
    turns = 0
    work = asyncio.create_task(extractor.fields_of(b"x" * SLICE_BYTES * 10, None), name="extraction")
    while not work.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns == 11


def test_versions_differ() -> None:
    versions = sorted([PlainText.version, PipelineAttachment.version])
    assert [a != b for a, b in pairwise(versions)] == [True]
