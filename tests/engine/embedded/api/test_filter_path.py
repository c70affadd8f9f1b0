import pytest

from connectors.engine.embedded.api.filter_path import filtered

BODY = {"took": 1, "errors": False, "items": [{"index": {"_id": "1", "status": 201}}, {"delete": {"_id": "2"}}]}


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        (["took"], {"took": 1}),
        (["took", "errors"], {"took": 1, "errors": False}),
        (["items.*._id"], {"items": [{"index": {"_id": "1"}}, {"delete": {"_id": "2"}}]}),
        (["items.*.status"], {"items": [{"index": {"status": 201}}]}),
        (["items"], {"items": BODY["items"]}),
        (["**._id"], {"items": [{"index": {"_id": "1"}}, {"delete": {"_id": "2"}}]}),
        (["none"], {}),
        (["-items"], {"took": 1, "errors": False}),
        (["items.*", "-items.*.status"], {"items": [{"index": {"_id": "1"}}, {"delete": {"_id": "2"}}]}),
    ],
)
def test_only_what_is_named_is_left(patterns: list[str], kept: object) -> None:
    assert filtered(BODY, patterns) == kept
