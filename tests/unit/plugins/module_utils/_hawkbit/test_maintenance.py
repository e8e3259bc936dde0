"""Maintenance windows and Quartz cron expressions.

The tables are what hawkBit 1.0.4, 0.9.0 and 0.3.0M7 answered, alike, when a window with each schedule was assigned to a
target that is not there.
"""

from __future__ import annotations

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.maintenance import check_cron, check_window

VALID = """
0 0 3 ? * SUN
0 0 3 * * ?
0 0 3 ? * *
0 0 3 1 * ?
0 0 3 ? * 1
0 0 3 ? * 7
0 0 3 ? * sun
0 0 3 ? * Sun
0 0 3 ? * MON-FRI
0 0 3 ? * FRI-MON
0 0 3 ? * SUN-SAT
0 0 3 ? * SAT-SUN
0 0 3 ? * 6-2
0 0 3 ? * MON,WED,FRI
0 0 3 ? * MON-WED,FRI
0 0 3 ? * 2-4,6
0 0 3 ? * */2
0 0 3 ? * 2/2
0 0 3 ? * L
0 0 3 ? * 6L
0 0 3 ? * FRIL
0 0 3 ? * friL
0 0 3 ? * 7L
0 0 3 ? * 6#3
0 0 3 ? * 6#5
0 0 3 ? * FRI#2
0 0 3 ? * FRI#2,MON#1
0 0 3 L * ?
0 0 3 l * ?
0 0 3 LW * ?
0 0 3 L-3 * ?
0 0 3 L-30 * ?
0 0 3 15W * ?
0 0 3 1,15 * ?
0 0 3 1,15W * ?
0 0 3 1,L * ?
0 0 3 L,15 * ?
0 0 3 1-7 * ?
0 0 3 7-1 * ?
0 0 3 28-3 * ?
0 0 3 31 * ?
0 0 3 */5 * ?
0 0 3 1/5 * ?
0 0 3 1-10/2 * ?
0 0 3 ? JAN MON
0 0 3 ? jan MON
0 0 3 ? JAN-MAR MON
0 0 3 ? NOV-FEB MON
0 0 3 ? 11-2 MON
0 0 3 ? 12 MON
0 0 3 ? 1,JUL MON
0 0 3 ? */3 MON
0 0 3 ? 1/3 MON
59 59 23 ? * SUN
0 0-30 3 ? * SUN
0 30-0 3 ? * SUN
0 0 22-4 ? * SUN
0 */15 3 ? * SUN
0 0/15 3 ? * SUN
0 5/15 3 ? * SUN
0 */59 3 ? * SUN
0 0 */23 ? * SUN
0 0,30 3 ? * SUN
0 0 3,15,23 ? * SUN
0 0 3 ? * SUN *
0 0 3 ? * SUN 2030
0 0 3 ? * SUN 2026-2030
0 0 3 ? * SUN 2099
0 0 3 ? * SUN 1970-2099
0 0 3 ? * SUN 2026/2
0 0 3 ? * SUN */2
0  0 3 ? * SUN
* * * * * ?
*/5 * * ? * *
0 0 3 1-31 * ?
0 0 3 ? * 1-7
0 0 3 ? * 1-5/2
0 0 3 ? * MON-FRI/2
0 0 3 *,1 * ?
0 0 3 ? * *,MON
0 0 3 */31 * ?
0 0 3 ? * */7
0 0 3 ? */12 MON
0 0 3 01 * ?
00 00 03 ? * SUN
0 0 3 ? * 2#2,4#2
0 0 3 ? * L,2
0 0 3 ? * 2,L
0 0 3 ? * 2L,3
0 0 3 ? * 2#1,3
0 0 3 LW,15 * ?
0 0 3 15w * ?
0 0 3 lw * ?
0 0 3 ? * l
0 0 3 ? * 6l
0 0 3 15W,16W * ?
0 0 3 ? * SUN#1 2030
"""
INVALID = """
0 0 3 * * *
0 0 3 ? * ?
0 0 3 1 * 1
0 0 3 ? * 0
0 0 3 ? * 8
0 0 3 ? * SUNDAY
0 0 3 ? * 0L
0 0 3 ? * 8L
0 0 3 ? * 6#6
0 0 3 ? * 6#0
0 0 3 ? * #2
0 0 3 ? * 6#
0 0 3 ? * W
0 0 3 ? * 1W
0 0 3 L-31 * ?
0 0 3 L-0 * ?
0 0 3 L-3W * ?
0 0 3 L- * ?
0 0 3 31W * ?
0 0 3 32W * ?
0 0 3 0W * ?
0 0 3 W * ?
0 0 3 0 * ?
0 0 3 32 * ?
0 0 3 1/40 * ?
0 0 3 ? 0 MON
0 0 3 ? 13 MON
0 0 3 ? JANUARY MON
0 0 3 ? L MON
60 0 3 ? * SUN
0 60 3 ? * SUN
0 0 24 ? * SUN
-1 0 3 ? * SUN
0 */0 3 ? * SUN
0 */60 3 ? * SUN
0 0/60 3 ? * SUN
0 0 */24 ? * SUN
0 0,,30 3 ? * SUN
0 ,30 3 ? * SUN
0 30, 3 ? * SUN
? 0 3 ? * SUN
0 ? 3 ? * SUN
0 0 ? ? * SUN
0 0 3 ? ? SUN
0 0 3 ? * SUN ?
0 0 3 ? * SUN 2030-2026
0 0 3 ? * SUN 2100
0 0 3 ? * SUN 2199
0 0 3 ? * SUN 1969
0 0 3 ? *
0 3 * * *
0 0 3 ? * SUN 2030 1
@daily
garbage
0 0 3 ?,1 * SUN
0 0 3 */32 * ?
0 0 3 ? * */8
0 0 3 ? */13 MON
0 0 3 ? * MO
0 0 3 ? * 1-
0 0 3 ? * -1
0 0 3 1- * ?
0 0 3 1--3 * ?
0 0 3 1-3-5 * ?
0 0 3 1/2/3 * ?
0 0 3 / * ?
0 0 3 */ * ?
0 0 3 ? 2 30
0 0 3 ? * 2-4#1
0 0 3 L/2 * ?
0 0 3 1-5W * ?
0 0 3 ? * SUN 26
"""

WINDOW = {"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": "+02:00"}


def lines(table: str) -> list[str]:
    """Return the lines of a table."""
    return table.strip("\n").split("\n")


@pytest.mark.parametrize("schedule", lines(VALID))
def test_what_hawkbit_takes_is_taken(schedule: str) -> None:
    check_cron(schedule)


@pytest.mark.parametrize("schedule", lines(INVALID))
def test_what_hawkbit_refuses_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_cron(schedule)
    assert caught.value.msg.startswith(f"maintenance_window.schedule is '{schedule}': give ")
    assert caught.value.msg.endswith(".")


def test_a_step_from_the_name_of_a_day_is_taken() -> None:
    """0.3.0M7 alone refuses it, and says so."""
    check_cron("0 0 3 ? * MON/2")


@pytest.mark.parametrize(
    "schedule, wanted",
    [
        ("0 3 * * *", "6 or 7 fields in Quartz cron notation, such as '0 0 3 ? * SUN' for Sundays at 3"),
        ("60 0 3 ? * SUN", "for seconds, which is '60', values from 0 to 59 in Quartz cron notation"),
        ("0 60 3 ? * SUN", "for minutes, which is '60', values from 0 to 59 in Quartz cron notation"),
        ("0 0 24 ? * SUN", "for hours, which is '24', values from 0 to 23 in Quartz cron notation"),
        ("0 0 3 32 * ?", "for day of month, which is '32', values from 1 to 31 in Quartz cron notation"),
        ("0 0 3 ? 13 SUN", "for month, which is '13', values from 1 to 12 or JAN to DEC in Quartz cron notation"),
        ("0 0 3 ? * 8", "for day of week, which is '8', values from 1 to 7 or SUN to SAT in Quartz cron notation"),
        ("0 0 3 ? * SUN 2100", "for year, which is '2100', values from 1970 to 2099 in Quartz cron notation"),
        (
            "0 0 3 * * *",
            "'?' for exactly one of day of month and day of week, such as '0 0 3 ? * SUN' for Sundays at 3",
        ),
    ],
)
def test_the_message_names_the_field_and_what_would_be_right(schedule: str, wanted: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_cron(schedule)
    assert caught.value.msg == f"maintenance_window.schedule is '{schedule}': give {wanted}."


@pytest.mark.parametrize("duration", ["02:00:00", "02:00", "00:00", "00:00:01", "23:59:59"])
def test_durations_below_a_day_are_taken(duration: str) -> None:
    check_window({**WINDOW, "duration": duration})


@pytest.mark.parametrize("duration", ["24:00:00", "25:00:00", "2:00", "02:00:60", "02:60", "PT2H", "99x", "2", "02"])
def test_other_durations_are_refused(duration: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_window({**WINDOW, "duration": duration})
    assert caught.value.msg == (
        f"maintenance_window.duration is '{duration}': give a time below a day in quotes, such as '02:00:00'."
    )


@pytest.mark.parametrize("timezone", ["+00:00", "-00:00", "+02:00", "-05:30", "+18:00", "-18:00", "+17:59"])
def test_offsets_are_taken(timezone: str) -> None:
    check_window({**WINDOW, "timezone": timezone})


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "UTC", "GMT+2", "+18:01", "+19:00", "+02:60", "02:00", "CEST"])
def test_names_of_time_zones_and_impossible_offsets_are_refused(timezone: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_window({**WINDOW, "timezone": timezone})
    assert caught.value.msg == (
        f"maintenance_window.timezone is '{timezone}': give an offset in quotes, such as '+02:00'; names are not "
        "understood."
    )


@pytest.mark.parametrize(
    "given, lacking",
    [
        ({}, "schedule and duration and timezone"),
        ({"schedule": "0 0 3 ? * SUN"}, "duration and timezone"),
        ({"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": None}, "timezone"),
        ({"schedule": "", "duration": "02:00:00", "timezone": "+02:00"}, "schedule"),
    ],
)
def test_all_parts_of_a_window_belong_together(given: dict[str, str | None], lacking: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_window(given)
    assert caught.value.msg == (
        f"maintenance_window lacks {lacking}: give schedule, duration and timezone, or none of them."
    )
