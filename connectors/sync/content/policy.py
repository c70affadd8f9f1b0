"""What a document's content adds to it: fields, and which of them can be carried over when only metadata changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from connectors.download import Content
from connectors.sync.content.extraction import ATTACHMENT, Extractor, PipelineAttachment, PlainText, bytes_of

_KNOWN: Final = frozenset({"_id", "_timestamp", ATTACHMENT})
"""What is no field of a content and yet nothing to report: the first two are repeated of the document, by custom."""


@dataclass(frozen=True)
class ContentFields:
    """The fields that a content adds, and what was left out of them."""

    fields: Mapping[str, Any]
    clashes: frozenset[str] = frozenset()
    """Names that the document has itself: metadata, by which rules decide, is never replaced."""
    refused: frozenset[str] = frozenset()
    """Names that a content may not set, and names that are no texts."""
    without_text: bool = False
    """Whether there were bytes, and no text in them."""


@dataclass(frozen=True)
class ContentPolicy:
    """How contents become fields: by which extractor, and whether a pipeline has its way with them afterwards."""

    extractor: Extractor
    pipeline: bool = False

    @classmethod
    def of(cls, *, pipeline: bool, extract_binary_content: bool) -> "ContentPolicy":
        """Return what a connector wants: a pipeline that extracts is sent the bytes, else text is indexed as it is."""
        return cls(PipelineAttachment() if pipeline and extract_binary_content else PlainText(), pipeline)

    async def fields_of(
        self, content: Content, document: Mapping[str, Any], *, name: str | None = None
    ) -> ContentFields:
        """Return what a content adds to a document.

        Bytes go through the extractor; so does an `_attachment` among fields, which is bytes or their base64. No other
        name that begins with an underscore is taken from a content: what is ours or the engine's, such as who may
        see a document, is for its metadata to say. Raises `DocumentSkipped`.
        """
        if isinstance(content, bytes):
            extracted = await self.extractor.fields_of(content, name)
            return _merged(extracted, document, without_text=not extracted)
        fields = {key: value for key, value in content.items() if _is_allowed(key)}
        refused = frozenset(str(key) for key in content if not _is_allowed(key)) - _KNOWN
        attachment = content.get(ATTACHMENT)
        if attachment is None:
            return _merged(fields, document, refused=refused)
        extracted = await self.extractor.fields_of(await bytes_of(attachment), name)
        return _merged({**extracted, **fields}, document, refused=refused, without_text=not extracted)

    def carriable(self, added: ContentFields) -> list[str] | None:
        """Return the names to keep in the mark, by which the fields are found again; None if they can't be.

        They can't where a pipeline is named, as the stored document is what that made of them; nor where a name
        clashed, as the content's own value is not stored then.
        """
        return None if self.pipeline or added.clashes else sorted(added.fields)

    def carried_over(
        self, stored: Mapping[str, Any], names: object, document: Mapping[str, Any]
    ) -> ContentFields | None:
        """Return a stored document's content fields for its new metadata, or None: then the content is fetched again.

        `names` are those that the mark keeps, as it was read. The caller has made sure that the content's version is
        the same, and that the stored document is as we wrote it: of the version that the mark says.
        """
        if self.pipeline or not _are_names(names) or not stored.keys() >= set(names):
            return None
        return _merged({name: stored[name] for name in names}, document)


def _is_allowed(key: object) -> bool:
    return isinstance(key, str) and not key.startswith("_")


def _are_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _merged(
    fields: Mapping[str, Any],
    document: Mapping[str, Any],
    *,
    refused: frozenset[str] = frozenset(),
    without_text: bool = False,
) -> ContentFields:
    clashes = frozenset(fields.keys() & document.keys())
    kept = {key: value for key, value in fields.items() if key not in clashes} if clashes else fields
    return ContentFields(kept, clashes, refused, without_text)
