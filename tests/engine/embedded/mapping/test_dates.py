"""Dates: what formats read and write, and what date math makes of them. All of it was tried on Elasticsearch 8.19."""

import pytest

from connectors.engine.embedded.mapping.calendar_days import date_of, days_in_month, days_since_epoch
from connectors.engine.embedded.mapping.date_math import evaluate
from connectors.engine.embedded.mapping.date_patterns import BadDate, iso_text
from connectors.engine.embedded.mapping.dates import DEFAULT_FORMAT, UnknownFormat, date_format
from connectors.engine.embedded.refusal import Refusal

NOW = date_format(DEFAULT_FORMAT).parse("2024-05-15T12:34:56.789Z")

READ = [
    ("2024", "2024-01-01T00:00:00.000Z"),
    ("2024-01", "2024-01-01T00:00:00.000Z"),
    ("2024-01-01T", "2024-01-01T00:00:00.000Z"),
    ("2024-01-01T10", "2024-01-01T10:00:00.000Z"),
    ("2024-01-01T10:00Z", "2024-01-01T10:00:00.000Z"),
    ("2024-01-01T10:00:00,5Z", "2024-01-01T10:00:00.500Z"),
    ("2024-01-01T10:00:00.123456789Z", "2024-01-01T10:00:00.123Z"),
    ("2024-01-01T10:00:00+0200", "2024-01-01T08:00:00.000Z"),
    ("2024-01-01T10:00:00+02:00:30", "2024-01-01T07:59:30.000Z"),
    ("2024-01-01T10:00:00-18:00", "2024-01-02T04:00:00.000Z"),
    ("2024-01-01T10:00:00GMT+2", "2024-01-01T08:00:00.000Z"),
    ("2024-01-01T10:00:00Europe/Berlin", "2024-01-01T09:00:00.000Z"),
    ("2024T10:00", "1970-01-01T10:00:00.000Z"),
    ("-0001-01-01", "-0001-01-01T00:00:00.000Z"),
    ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
    ("-1", "1969-12-31T23:59:59.999Z"),
    ("-1.5", "1969-12-31T23:59:59.998Z"),
    ("1706695200000", "2024-01-31T10:00:00.000Z"),
    ("20240", "1970-01-01T00:00:20.240Z"),
    ("9223372036854775807", "+292278994-08-17T07:12:55.807Z"),
]
NOT_READ = [
    "", "x", "now", "2024-1-1", "2024-02-30", "2023-02-29", "2024-13-01", "2024-01-01 10:00:00", " 2024-01-01",
    "2024-01-01T24:00:00", "2024-01-01T10:00:60", "2024-01-01T10:00:00z", "2024-01-01T10:00:00.1234567891Z",
    "2024-01-01T10:00:00+18:01", "2024-01-01T10:00:00Nowhere/Atall", "12024-01-01", "9223372036854775808", "1e3",
]  # fmt: skip
FORMATS = [
    ("yyyy-MM-dd", "2024-01-31", "2024-01-31"),
    ("yyyy-MM-dd", "+12024-01-31", "+12024-01-31"),
    ("yyyy-MM-dd HH:mm:ss", "2024-01-31 10:00:00", "2024-01-31 10:00:00"),
    ("yyyy-MM-dd HH:mm:ss.SSS", "2024-01-31 10:00:00.123", "2024-01-31 10:00:00.123"),
    ("dd/MM/yyyy||d/M/yyyy", "1/1/2024", "01/01/2024"),
    ("basic_date", "20240131", "20240131"),
    ("epoch_second", "1706695200.5", "1706695200.5"),
    ("epoch_second", "-1.5", "-1.5"),
    ("epoch_millis", "5", "5"),
    ("strict_date_time", "2024-01-31T10:00:00+02", "2024-01-31T08:00:00.000Z"),
    ("date_time_no_millis", "2024-01-31T10:00:00+02:00", "2024-01-31T08:00:00Z"),
    ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2024-01-31T10:00:00.000+0200", "2024-01-31T08:00:00.000+0000"),
    ("MM/dd/yyyy hh:mm a", "01/31/2024 12:05 PM", "01/31/2024 12:05 PM"),
    ("EEE, dd MMM yyyy HH:mm:ss Z", "Wed, 31 Jan 2024 10:00:00 +0000", "Wed, 31 Jan 2024 10:00:00 +0000"),
    ("HH:mm:ss||HH:mm", "10:00", "10:00:00"),
    ("date", "12345-1-3", "+12345-01-03"),
]
MATH = [
    ("now", "2024-05-15T12:34:56.789Z", "2024-05-15T12:34:56.789Z"),
    ("now-1d/d", "2024-05-14T00:00:00.000Z", "2024-05-14T23:59:59.999Z"),
    ("now/w", "2024-05-13T00:00:00.000Z", "2024-05-19T23:59:59.999Z"),
    ("now+M", "2024-06-15T12:34:56.789Z", "2024-06-15T12:34:56.789Z"),
    ("2026-01-01||+1M/d", "2026-02-01T00:00:00.000Z", "2026-02-01T23:59:59.999Z"),
    ("2024-01-31||+1M", "2024-02-29T00:00:00.000Z", "2024-02-29T00:00:00.000Z"),
    ("2024||/y", "2024-01-01T00:00:00.000Z", "2024-12-31T23:59:59.999Z"),
    ("2024-02", "2024-02-01T00:00:00.000Z", "2024-02-01T23:59:59.999Z"),
    ("2024-02-01||", "2024-02-01T00:00:00.000Z", "2024-02-01T00:00:00.000Z"),
    ("2024T10", "1970-01-01T10:00:00.000Z", "2024-01-01T10:59:59.999Z"),
    ("2024-01-31T10", "2024-01-31T10:00:00.000Z", "2024-01-31T10:59:59.999Z"),
]
BAD_MATH = [
    ("now-1x", "unit [x] not supported for date math [-1x]"),
    ("now-1", "truncated date math [-1]"),
    ("now/2d", "rounding `/` can only be used on single unit types [/2d]"),
    ("now*1d", "operator not supported for date math [*1d]"),
    ("", "cannot parse empty datetime"),
]


@pytest.mark.parametrize(("text", "shown"), READ)
def test_text_of_the_default_format_is_read(text: str, shown: str) -> None:
    assert iso_text(date_format(DEFAULT_FORMAT).parse(text)) == shown


@pytest.mark.parametrize("text", NOT_READ)
def test_text_that_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadDate):
        date_format(DEFAULT_FORMAT).parse(text)


@pytest.mark.parametrize(("pattern", "text", "shown"), FORMATS)
def test_format_reads_and_writes(pattern: str, text: str, shown: str) -> None:
    form = date_format(pattern)
    assert form.show(form.parse(text)) == shown


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "No date pattern provided"),
        ("yyyy||", "Cannot have empty element in multi date format pattern: yyyy||"),
        ("yyyy-MM-dd||bogus", "Invalid format: [bogus]: Unknown pattern letter: b"),
    ],
)
def test_unknown_format_says_why(pattern: str, reason: str) -> None:
    with pytest.raises(UnknownFormat) as refused:
        date_format(pattern)
    assert str(refused.value) == reason


@pytest.mark.parametrize("pattern", ["week_date", "YYYY-ww", "yyyy-DDD"])
def test_format_that_is_not_implemented_is_refused(pattern: str) -> None:
    with pytest.raises(Refusal, match="does not implement"):
        date_format(pattern)


@pytest.mark.parametrize(("text", "first", "last"), MATH)
def test_date_math_gives_the_first_and_the_last_moment(text: str, first: str, last: str) -> None:
    form = date_format(DEFAULT_FORMAT)
    found = [iso_text(evaluate(text, form, now_ms=NOW, round_up=round_up)) for round_up in (False, True)]
    assert found == [first, last]


@pytest.mark.parametrize(("text", "reason"), BAD_MATH)
def test_malformed_date_math_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        evaluate(text, date_format(DEFAULT_FORMAT), now_ms=NOW)
    assert (refused.value.kind, refused.value.reason) == ("parse_exception", reason)


def test_time_zone_counts_where_the_text_names_none() -> None:
    form = date_format(DEFAULT_FORMAT)
    at = evaluate("2024-01-31||/d", form, now_ms=NOW, time_zone="+01:00")
    assert iso_text(at) == "2024-01-30T23:00:00.000Z"
    assert iso_text(evaluate("2024-01-31T00:00Z", form, now_ms=NOW, time_zone="+01:00")) == "2024-01-31T00:00:00.000Z"


def test_every_day_of_four_centuries_has_a_number_of_its_own() -> None:
    number = days_since_epoch(1600, 1, 1)
    for year in range(1600, 2000):
        for month in range(1, 13):
            for day in range(1, days_in_month(year, month) + 1):
                assert days_since_epoch(year, month, day) == number
                assert date_of(number) == (year, month, day)
                number += 1
