import pytest

from connectors.engine.embedded.refusal import Refusal
from connectors.engine.embedded.store.versioning import Condition, Standing, VersionType

LIVE = Standing(row=1, shard=0, seq=7, term=1, version=10, deleted=False)
TOMBSTONE = Standing(row=1, shard=0, seq=7, term=1, version=10, deleted=True)


@pytest.mark.parametrize(
    ("standing", "condition", "version"),
    [
        (None, Condition(), 1),
        (LIVE, Condition(), 11),
        (TOMBSTONE, Condition(), 11),
        (None, Condition(create=True), 1),
        (TOMBSTONE, Condition(create=True), 11),
        (LIVE, Condition(if_seq_no=7, if_primary_term=1), 11),
        (None, Condition(version=5, version_type="external"), 5),
        (LIVE, Condition(version=11, version_type="external"), 11),
        (LIVE, Condition(version=10, version_type="external_gte"), 10),
        (TOMBSTONE, Condition(version=10, version_type="external_gte"), 10),
    ],
)
def test_a_write_that_may_be_applied_gets_its_version(
    standing: Standing | None, condition: Condition, version: int
) -> None:
    assert condition.new_version("a", standing) == version


@pytest.mark.parametrize(
    ("standing", "condition", "reason"),
    [
        (LIVE, Condition(create=True), "document already exists (current version [10])"),
        (None, Condition(if_seq_no=7, if_primary_term=1), "but no document was found"),
        (TOMBSTONE, Condition(if_seq_no=7, if_primary_term=1), "but no document was found"),
        (LIVE, Condition(if_seq_no=6, if_primary_term=1), "current document has seqNo [7] and primary term [1]"),
        (LIVE, Condition(if_seq_no=7, if_primary_term=2), "required seqNo [7], primary term [2]."),
        (LIVE, Condition(version=10, version_type="external"), "is higher or equal to the one provided [10]"),
        (LIVE, Condition(version=9, version_type="external_gte"), "current version [10] is higher than the one"),
        (TOMBSTONE, Condition(version=9, version_type="external_gte"), "is higher than the one provided [9]"),
    ],
)
def test_a_write_that_expected_something_else_is_refused(
    standing: Standing | None, condition: Condition, reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        condition.new_version("a", standing)
    assert caught.value.status == 409
    assert reason in str(caught.value.reason)


@pytest.mark.parametrize("version_type", ["internal", "external", "external_gte"])
def test_a_plain_condition_has_no_problem(version_type: VersionType) -> None:
    version = None if version_type == "internal" else 0
    assert Condition(version=version, version_type=version_type).problems() == []


@pytest.mark.parametrize(
    "condition",
    [
        Condition(if_seq_no=1),
        Condition(if_primary_term=1),
        Condition(if_seq_no=1, if_primary_term=0),
        Condition(if_seq_no=1, if_primary_term=1, version=1, version_type="external"),
        Condition(create=True, if_seq_no=1, if_primary_term=1),
        Condition(create=True, version=1, version_type="external"),
        Condition(version=1),
        Condition(version=-1, version_type="external"),
        Condition(version_type="external_gte"),
    ],
)
def test_a_condition_that_no_document_can_meet_has_one(condition: Condition) -> None:
    assert condition.problems()
