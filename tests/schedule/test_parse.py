"""What may be written as a schedule, and what is said of the rest."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.schedule import Schedule, zone_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBERS = "a range such as 0-2, a step such as 0/2, or a list of these with commas and no spaces"
OVER = "Leave the year out, or name years to come."
BOTH = "are both given, and Quartz has no meaning for that; give one and write ? for the other:"
NAMES = "second, minute, hour, day of the month, month, day of the week and, if wanted, year"
UNIX = "Unix cron has no seconds: put 0 in front, ? for the day that does not matter, and count days from SUN = 1."


def read(text: str) -> tuple[Schedule, None] | tuple[None, ConfigurationError]:
    try:
        return Schedule.parse(text), None
    except ConfigurationError as error:
        return None, error


def fault_of(text: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Schedule.parse(text, setting="scheduling.full.interval")
    assert caught.value.field == "scheduling.full.interval"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("60 0 0 * * ?", "The second '60' is not from 0 to 59."),
        ("0 60 0 * * ?", "The minute '60' is not from 0 to 59."),
        ("0 0 24 * * ?", "The hour '24' is not from 0 to 23."),
        ("0 0 5-24 * * ?", "The hour '5-24' is not from 0 to 23."),
        ("0 0 99999999999999999999 * * ?", "The hour '99999999999999999999' is not from 0 to 23."),
        ("0 0 0 0 * ?", "The day of the month '0' is not from 1 to 31."),
        ("0 0 0 32 * ?", "The day of the month '32' is not from 1 to 31."),
        ("0 0 0 0W * ?", "The day of the month '0W' is not from 1 to 31."),
        ("0 0 0 32W * ?", "The day of the month '32W' is not from 1 to 31."),
        (
            "0 0 0 L-31 * ?",
            "The day of the month 'L-31' goes back 31 days from the last; at most 30 are possible.",
        ),
        ("0 0 0 1 0 ?", "The month '0' is not from 1 to 12, or JAN to DEC."),
        ("0 0 0 1 13 ?", "The month '13' is not from 1 to 12, or JAN to DEC."),
        ("0 0 0 ? * 0", "The day of the week '0' is not from 1 to 7, or SUN to SAT."),
        ("0 0 0 ? * 8", "The day of the week '8' is not from 1 to 7, or SUN to SAT."),
        ("0 0 0 ? * 8L", "The day of the week '8L' is not from 1 to 7, or SUN to SAT."),
        ("0 0 0 ? * 8#1", "The day of the week '8#1' is not from 1 to 7, or SUN to SAT."),
        ("0 0 0 ? * FRI#6", "The day of the week 'FRI#6' needs a number from 1 to 5 behind its #."),
        ("0 0 0 ? * FRI#", "The day of the week 'FRI#' needs a number from 1 to 5 behind its #."),
        ("0 0 0 ? * 6#0", "The day of the week '6#0' needs a number from 1 to 5 behind its #."),
        ("0 0 0 * * ? 1969", "The year '1969' is not from 1970 to 2099."),
        ("0 0 0 * * ? 2100", "The year '2100' is not from 1970 to 2099."),
        ("0 0 0 * * ? 2030-2025", "The year '2030-2025' ends before it begins."),
        ("0/60 0 0 * * ?", "The second '0/60' has the step 60, which is not from 1 to 59."),
        ("0 */0 0 * * ?", "The minute '*/0' has the step 0, which is not from 1 to 59."),
        ("0 0 0/24 * * ?", "The hour '0/24' has the step 24, which is not from 1 to 23."),
        ("0 0 0 1/32 * ?", "The day of the month '1/32' has the step 32, which is not from 1 to 31."),
        ("0 0 0 1 1/13 ?", "The month '1/13' has the step 13, which is not from 1 to 12."),
        ("0 0 0 ? * 1/8", "The day of the week '1/8' has the step 8, which is not from 1 to 7."),
        ("0 0 0 * * ? 1970/130", "The year '1970/130' has the step 130, which is not from 1 to 129."),
        ("0 0 1,,2 * * ?", "The hour '1,,2' has a comma with nothing before or after it."),
        ("0 0 1, * * ?", "The hour '1,' has a comma with nothing before or after it."),
        ("0 0 0 ? * ,MON", "The day of the week ',MON' has a comma with nothing before or after it."),
        ("? 0 0 * * ?", "The second '?' holds ?, which stands only for a whole day of the month or of the week."),
        ("0 0 0 1,? * ?", "The day of the month '1,?' holds ?, which stands only for a whole day of the month or of "),
        ("0 0 x * * ?", f"The hour 'x' can't be read; it may be *, a number (from 0 to 23), {NUMBERS}."),
        ("0 0 1- * * ?", "The hour '1-' can't be read; it may be *, a number"),
        ("0 0 1-2-3 * * ?", "The hour '1-2-3' can't be read; it may be *, a number"),
        ("0 0 1/ * * ?", "The hour '1/' can't be read; it may be *, a number"),
        ("0 0 / * * ?", "The hour '/' can't be read; it may be *, a number"),
        ("0 0 *-3 * * ?", "The hour '*-3' can't be read; it may be *, a number"),
        ("0 0 L * * ?", "The hour 'L' can't be read; it may be *, a number"),
        ("0 0 -1 * * ?", "The hour '-1' can't be read; it may be *, a number"),
        ("0 0 ٣ * * ?", "The hour '٣' can't be read; it may be *, a number"),
        ("0 0 0 1 JANUARY ?", "The month 'JANUARY' can't be read; it may be *, a number (from 1 to 12, or JAN to DEC)"),
        ("0 0 0 1 MON ?", "The month 'MON' can't be read; it may be *, a number (from 1 to 12, or JAN to DEC)"),
        (
            "0 0 0 1 \u017fep ?",
            "The month '\u017fep' can't be read; it may be *, a number (from 1 to 12, or JAN to DEC)",
        ),
        ("0 0 0 LX * ?", "a step such as 1/2, ?, L, L-3, LW, 15W, or a list of these with commas and no spaces."),
        ("0 0 0 W * ?", "The day of the month 'W' can't be read; it may be *, a number (from 1 to 31)"),
        ("0 0 0 1-5W * ?", "The day of the month '1-5W' can't be read; it may be *, a number (from 1 to 31)"),
        ("0 0 0 MON * ?", "The day of the month 'MON' can't be read; it may be *, a number (from 1 to 31)"),
        (
            "0 0 0 ? * XYZL",
            "The day of the week 'XYZL' can't be read; it may be *, a number (from 1 to 7, or SUN to SAT)",
        ),
        (
            "0 0 0 ? * L-1",
            "a step such as 1/2, ?, L, 6L, FRIL, 6#3, FRI#3, or a list of these with commas and no spaces.",
        ),
        (
            "0 0 2 15 * MON",
            f"The day of the month and the day of the week {BOTH} '0 0 2 15 * ?' or '0 0 2 ? * MON'.",
        ),
        ("0 0 2 L * 1-7 2026", "give one and write ? for the other: '0 0 2 L * ? 2026' or '0 0 2 ? * 1-7 2026'."),
        ("0 0 2 *,1 * MON", "give one and write ? for the other: '0 0 2 *,1 * ?' or '0 0 2 ? * MON'."),
        (
            "",
            f"It has 0 parts, and needs 6 or 7: {NAMES}.",
        ),
        (
            "0 2 * * *",
            f"{NAMES}. {UNIX}",
        ),
        ("@daily", "It has 1 part, and needs 6 or 7:"),
        ("0 0 2 * * ? 2026 *", "It has 8 parts, and needs 6 or 7:"),
        ("0 0 2, 3 * * ? *", "It has 8 parts, and needs 6 or 7:"),
        ("0 " * 501, "It has 1002 characters, and at most 1000 are read."),
    ],
)
def test_what_is_wrong_is_named_and_what_is_allowed(text: str, fault: str) -> None:
    found = fault_of(text)
    assert found.startswith("The schedule '")
    assert fault in found


def test_all_that_is_wrong_is_named_at_once_in_the_order_in_which_it_is_written() -> None:
    assert fault_of("60 0/0 24 32 13 8 1969") == (
        "The schedule '60 0/0 24 32 13 8 1969' can't be used. The second '60' is not from 0 to 59. "
        "The minute '0/0' has the step 0, which is not from 1 to 59. The hour '24' is not from 0 to 23. "
        "The day of the month '32' is not from 1 to 31. The month '13' is not from 1 to 12, or JAN to DEC. "
        "The day of the week '8' is not from 1 to 7, or SUN to SAT. The year '1969' is not from 1970 to 2099."
    )


@pytest.mark.parametrize(("value", "said"), [(None, "nothing"), (5, "5"), ({}, "an object"), (["0"], "a list")])
def test_what_is_no_text_is_refused(value: object, said: str) -> None:
    assert fault_of(value) == f"The schedule is {said}, not a text."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 0 2 * * ?", "  0\t0  2 * *\n? "),
        ("0 0 2 * * ?", "00 0 02 ? * * *"),
        ("0 0 2 ? jan-MAR tue,WeDl", "0 0 2 ? JAN-mar 3,wedL"),
        ("*/5 0 2 L-3w * ?", "0/5 0 2 l-3W * ?"),
        ("/5 0 2 * * ?", "*/5 0 2 * * ?"),
        ("0 0 2 L-0 * ?", "0 0 2 L * ?"),
        ("*,7 0 2 * * ?", "* 0 2 * * ?"),
        (",".join(map(str, range(60))) + " 0 2 * * ? " + ",".join(map(str, range(1970, 2100))), "* 0 2 * * ?"),
    ],
)
def test_the_same_may_be_written_in_several_ways(one: str, other: str) -> None:
    first, second = Schedule.parse(one), Schedule.parse(other)
    assert (first.every, first.running, first.fixed) == (second.every, second.running, second.fixed)


def test_a_schedule_shows_its_text_alone_and_is_equal_by_it() -> None:
    assert repr(Schedule.parse(" 0 0 2 * *  ?")) == "Schedule(text='0 0 2 * * ?')"
    assert Schedule.parse("0 0 2 * * ?") == Schedule.parse("0 0 2 * * ? ")
    assert len({Schedule.parse("0 0 2 * * ?"), Schedule.parse("0 0 2 * * ?"), Schedule.parse("0 0 3 * * ?")}) == 2


LIKELY = st.text(st.sampled_from("0123456789*?-/,LWlw# \tFRIfeb"), max_size=60)
PARTS = st.lists(st.text(st.sampled_from("0123456789*?-/,LW#FRI"), min_size=1, max_size=6), min_size=6, max_size=7).map(
    " ".join
)


@settings(max_examples=1_000)
@given(st.text() | LIKELY | PARTS | st.text(st.characters(exclude_categories=())))
def test_whatever_is_written_it_is_a_schedule_or_an_error_that_names_it(text: str) -> None:
    schedule, error = read(text)
    if schedule is not None:
        found = schedule.next_after(NOW)
        assert found is None or found > NOW
    else:
        assert error is not None
        assert error.field == "interval"
        assert len(str(error).encode()) < 6_000


@pytest.mark.parametrize(
    "text", ["0" * 10_000_000, "0 " * 5_000_000, "0 0 0 ? * " + "#" * 900, "0 0 0 1" + ",1" * 480 + " * ?"]
)
def test_long_texts_take_no_time(text: str) -> None:
    started = time.perf_counter()
    _, error = read(text)
    assert len(str(error)) < 1_000
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0 0 0 30 2 ?", "The schedule '0 0 0 30 2 ?' never fires. No year that it names has such a day."),
        (
            "0 0 0 31 4,6,9,11 ?",
            "The schedule '0 0 0 31 4,6,9,11 ?' never fires. No year that it names has such a day.",
        ),
        ("0 0 0 29 2 ? 2027", "The schedule '0 0 0 29 2 ? 2027' never fires. No year that it names has such a day."),
        ("0 0 0 L-30 2 ?", "The schedule '0 0 0 L-30 2 ?' never fires. No year that it names has such a day."),
        (
            "0 0 0 1 1 ? 2026",
            f"The schedule '0 0 0 1 1 ? 2026' does not fire after 2026-03-01. {OVER}",
        ),
    ],
)
def test_what_fires_no_more_is_found_when_it_is_checked(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Schedule.parse(text).check(NOW, setting="here")
    assert (str(caught.value), caught.value.field) == (fault, "here")


def test_what_fires_once_more_passes_the_check() -> None:
    Schedule.parse("0 0 12 1 3 ? 2026").check(datetime(2026, 3, 1, 11, 59, 59, 999_999, tzinfo=UTC))


def test_what_never_fires_is_found_out_in_no_time() -> None:
    schedule = Schedule.parse("0 0 0 31 2,4,6,9,11 ?")
    started = time.perf_counter()
    for _ in range(20):
        assert schedule.next_after(NOW) is None
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_zone_has_the_name_that_was_given(name: str) -> None:
    assert str(zone_of(name)) == name


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "Europe", "../etc/passwd", "/etc/passwd", "a\0b", "\ud800", "x" * 5_000, None, 5, ["UTC"]]
)
def test_a_zone_that_is_not_there_is_an_error_that_says_how_zones_are_named(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="It is named as in the IANA database, such as UTC") as caught:
        zone_of(name)
    assert caught.value.field == "timezone"
