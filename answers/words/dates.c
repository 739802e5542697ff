// Dates and times: braces and LaTeX commands are removed first, then each form is tried. A date must be in the
// calendar, and a weekday beside it must be the right one.
#include "answers/words/dates.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MOST = 96 };

// ---- a text without its wrappings

typedef struct Reader {
    char text[TEXT_MOST + 1];
    const char *at;
} Reader;

static bool skip(Text *s, const char *text)
{
    size_t size = strlen(text);
    if (s->size < size || memcmp(s->data, text, size) != 0)
        return false;
    s->data += size;
    s->size -= size;
    return true;
}

// Commands and braces around text say nothing; all spaces are one.
static bool begin(Reader *r, Text s)
{
    static const char *const nothing[] = {"\\text", "\\mathrm", "\\mbox", "\\textrm", "{", "}", "^", "\\!"};
    static const char *const spaces[] = {"\\,", "\\ ", "\\;", "~", "\xc2\xa0", "\xe2\x80\xaf", " ", "\t", "\n"};
    size_t used = 0;
    s = text_trimmed(s);
    if (s.size > TEXT_MOST)
        return false;
    while (s.size > 0) {
        bool taken = false;
        for (size_t i = 0; i < sizeof nothing / sizeof *nothing && !taken; i++)
            taken = skip(&s, nothing[i]);
        for (size_t i = 0; i < sizeof spaces / sizeof *spaces && !taken; i++)
            if (skip(&s, spaces[i])) {
                taken = true;
                if (used > 0 && r->text[used - 1] != ' ')
                    r->text[used++] = ' ';
            }
        if (!taken) {
            r->text[used++] = *s.data++;
            s.size--;
        }
    }
    used -= used > 0 && r->text[used - 1] == ' ';
    r->text[used] = 0;
    r->at = r->text;
    return used > 0 && strlen(r->text) == used;
}

static bool take(Reader *r, const char *text) // ignoring case; a word ends where its letters do
{
    size_t size = strlen(text);
    if (strncasecmp(r->at, text, size) != 0 ||
        (isalpha((unsigned char)text[size - 1]) && isalpha((unsigned char)r->at[size])))
        return false;
    r->at += size;
    return true;
}

static int take_digits(Reader *r, int *digits)
{
    int value = 0;
    for (*digits = 0; isdigit((unsigned char)*r->at) && *digits < 5; ++*digits)
        value = 10 * value + (*r->at++ - '0');
    return value;
}

// The index, from 1, of a name, its first three letters, or another abbreviation; 0: none
static int take_name(Reader *r, const char *const *names, int count)
{
    const char *from = r->at;
    size_t size = 0;
    while (isalpha((unsigned char)from[size]))
        size++;
    if (!isupper((unsigned char)*from))
        return 0;
    for (int i = 0; i < count; i++) {
        bool cut = size == 3 || (size == 4 && strncasecmp(from, "Sept", 4) == 0);
        if (size >= 3 && (size == strlen(names[i]) || cut) && strncasecmp(from, names[i], size) == 0) {
            r->at += size;
            if (size < strlen(names[i]) && *r->at == '.')
                r->at++;
            return i + 1;
        }
    }
    return 0;
}

// ---- dates

static const char *const MONTHS[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const DAYS[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static bool leap_year(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static bool in_calendar(const int ymd[3])
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (ymd[1] < 1 || ymd[1] > 12 || ymd[2] < 1 || ymd[2] > days[ymd[1] - 1])
        return false;
    return ymd[0] == 0 || ymd[1] != 2 || ymd[2] < 29 || leap_year(ymd[0]);
}

static int day_of_week(const int ymd[3]) // 0: Sunday (Sakamoto 1993)
{
    static const int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    int year = ymd[0] - (ymd[1] < 3);
    return (year + year / 4 - year / 100 + year / 400 + shift[ymd[1] - 1] + ymd[2]) % 7;
}

static bool read_numbers(Reader *r, int ymd[3]) // 2020-03-05
{
    int digits;
    ymd[0] = take_digits(r, &digits);
    char mark = *r->at;
    if (digits != 4 || ymd[0] == 0 || (mark != '-' && mark != '/'))
        return false;
    for (int i = 1; i < 3; i++) {
        if (*r->at++ != mark)
            return false;
        ymd[i] = take_digits(r, &digits);
        if (digits != 2)
            return false;
    }
    return true;
}

static bool read_day(Reader *r, int *day) // 5, 5th, 5 th
{
    int digits;
    *day = take_digits(r, &digits);
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    for (int i = 0; i < 4; i++)
        if (take(r, endings[i]))
            break;
    return digits == 1 || digits == 2;
}

static bool read_year(Reader *r, int *year) // if there is one
{
    int digits;
    bool comma = take(r, ",");
    comma |= take(r, " ") || take(r, "-");
    *year = take_digits(r, &digits);
    return digits == 0 ? !comma : comma && digits == 4 && *year > 0;
}

static bool read_named(Reader *r, int ymd[3])
{
    take(r, "the ");
    ymd[1] = take_name(r, MONTHS, 12);
    if (ymd[1] > 0) {
        bool parted = take(r, " ") || take(r, "-");
        take(r, "the ");
        return parted && read_day(r, &ymd[2]) && read_year(r, &ymd[0]);
    }
    TRY(read_day(r, &ymd[2]));
    TRY(take(r, " ") || take(r, "-"));
    take(r, "of ");
    ymd[1] = take_name(r, MONTHS, 12);
    return ymd[1] > 0 && read_year(r, &ymd[0]);
}

bool date_read(int ymd[3], Text text)
{
    Reader r;
    TRY(begin(&r, text));
    int weekday = take_name(&r, DAYS, 7);
    if (weekday > 0) {
        take(&r, ",");
        TRY(take(&r, " "));
    }
    const char *from = r.at;
    if (!read_numbers(&r, ymd)) {
        r.at = from;
        TRY(read_named(&r, ymd));
    }
    return *r.at == 0 && in_calendar(ymd) && (weekday == 0 || ymd[0] == 0 || day_of_week(ymd) == weekday - 1);
}

// ---- times

static int take_half(Reader *r) // 1: AM, 2: PM, 0: neither
{
    static const char *const halves[2][3] = {{"am", "a.m.", "a.m"}, {"pm", "p.m.", "p.m"}};
    take(r, " ");
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < 3; i++)
            if (take(r, halves[half][i]))
                return half + 1;
    return 0;
}

static bool read_pair(Reader *r, int *value) // :30
{
    int digits;
    TRY(take(r, ":"));
    *value = take_digits(r, &digits);
    return digits == 2 && *value < 60;
}

bool time_read(int *minutes, Text text)
{
    Reader r;
    TRY(begin(&r, text));
    bool noon = strcasecmp(r.text, "noon") == 0 || strcasecmp(r.text, "12 noon") == 0;
    if (noon || strcasecmp(r.text, "midnight") == 0 || strcasecmp(r.text, "12 midnight") == 0) {
        *minutes = noon ? 12 * 60 : 0;
        return true;
    }
    int digits, minute = 0, second = 0, hour = take_digits(&r, &digits);
    bool pair = *r.at == ':';
    if (pair) {
        TRY(read_pair(&r, &minute));
        TRY(*r.at != ':' || (read_pair(&r, &second) && second == 0));
    }
    int half = take_half(&r);
    if (*r.at != 0 || digits < 1 || digits > 2)
        return false;
    bool right = half > 0 ? hour >= 1 && hour <= 12 : pair && digits == 2 && hour < 24;
    *minutes = 60 * (half > 0 ? hour % 12 + 12 * (half - 1) : hour) + minute;
    return right;
}
