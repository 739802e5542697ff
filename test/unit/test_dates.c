// Dates and times of day: read when written out, and refused when ambiguous.
#include "test/support/check.h"
#include "answers/words/dates.h"

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static void expect_date(const char *text, int year, int month, int day)
{
    int ymd[3];
    if (!date_read(ymd, span(text)))
        fail_msg("not a date: %s", text);
    if (ymd[0] != year || ymd[1] != month || ymd[2] != day)
        fail_msg("%s: %d-%d-%d", text, ymd[0], ymd[1], ymd[2]);
}

static void one_date_is_written_in_many_ways(void **state)
{
    static const char *const texts[] = {
        "2020-03-05",
        "2020/03/05",
        "March 5, 2020",
        "March 5 2020",
        "5 March 2020",
        "5th of March 2020",
        "Mar 5 2020",
        "Mar. 5, 2020",
        "March 5th, 2020",
        "the 5th of March 2020",
        "5 Mar 2020",
        "5-Mar-2020",
        "Thursday, March 5, 2020",
        "Thu, 5 March 2020",
        "MARCH 5, 2020",
        "\\text{March 5, 2020}",
        "\\text{March }5,\\ 2020",
        "March~5,~2020",
        "5^{\\text{th}} March 2020",
        " March  5,  2020 ",
        "March 05, 2020",
        "March the 5th, 2020",
        "5th of March, 2020",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_date(texts[i], 2020, 3, 5);
    expect_date("March 5", 0, 3, 5);
    expect_date("5 March", 0, 3, 5);
    expect_date("Sept. 30", 0, 9, 30);
    expect_date("Sept 30, 1999", 1999, 9, 30);
    expect_date("May 1st", 0, 5, 1);
    expect_date("February 29", 0, 2, 29);
    expect_date("February 29, 2000", 2000, 2, 29);
    expect_date("Friday, July 4", 0, 7, 4);
    expect_date("December 31, 1899", 1899, 12, 31);
}

static void what_is_no_date_is_not_read(void **state)
{
    static const char *const texts[] = {
        "",
        "03/05/2020",
        "3/5",
        "2020-3-5",
        "2020-03/05",
        "2020-13-05",
        "2020-02-30",
        "February 29, 2019",
        "February 29, 1900",
        "March 32",
        "March 0",
        "March",
        "March 2020",
        "5 may",
        "may 5",
        "2020",
        "5",
        "5-4",
        "555-1234",
        "Wednesday, March 5, 2020",
        "March 5, 20",
        "March 5, 20200",
        "March 5 or 6",
        "March 5, 2020 BC",
        "Marching 5",
        "Marc 5",
        "5th",
        "5 of",
        "March 5,",
        "0000-01-01",
        "2020-03-05-06",
        "20200305",
        "March 5-6",
        "2020-03-05 5:30",
        "March five",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int ymd[3];
        if (date_read(ymd, span(texts[i])))
            fail_msg("read as a date: %s", texts[i]);
    }
    int ymd[3];
    assert_false(date_read(ymd, (Text){"2020-03-05\0x", 12}));
}

static void one_time_is_written_in_many_ways(void **state)
{
    static const struct {
        const char *text;
        int minutes;
    } times[] = {
        {"5:30 PM", 1050},
        {"5:30pm", 1050},
        {"5:30 p.m.", 1050},
        {"17:30", 1050},
        {"05:30 PM", 1050},
        {"17:30:00", 1050},
        {"5{:}30\\text{ p.m.}", 1050},
        {"5:30\\ \\text{PM}", 1050},
        {"\\text{5:30 PM}", 1050},
        {"5:30 AM", 330},
        {"05:30", 330},
        {"12:00 AM", 0},
        {"00:00", 0},
        {"midnight", 0},
        {"12:00 PM", 720},
        {"Noon", 720},
        {"12 noon", 720},
        {"12:15 am", 15},
        {"23:59", 1439},
        {"5 PM", 1020},
        {"5 p.m.", 1020},
        {"11 am", 660},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int minutes;
        if (!time_read(&minutes, span(times[i].text)))
            fail_msg("not a time: %s", times[i].text);
        assert_int_equal(minutes, times[i].minutes);
    }
}

static void what_is_no_time_is_not_read(void **state)
{
    static const char *const texts[] = {
        "",
        "3:4",
        "5:30",
        "1:2",
        "24:00",
        "17:60",
        "17:5",
        "17:30 PM",
        "0:30 AM",
        "13 PM",
        "5",
        "pm",
        "5:3 PM",
        "5:30:15 PM",
        "5:30 PM EST",
        "100:30",
        "-5:30 PM",
        "17:30:",
        "5 pmx",
        "10:20:30",
        "12:30:00:00",
        "5 o'clock",
        "5:30 PM or 6 PM",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int minutes;
        if (time_read(&minutes, span(texts[i])))
            fail_msg("read as a time: %s (%d)", texts[i], minutes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_date_is_written_in_many_ways),
        cmocka_unit_test(what_is_no_date_is_not_read),
        cmocka_unit_test(one_time_is_written_in_many_ways),
        cmocka_unit_test(what_is_no_time_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
