// A suffix becomes an exponent before the text is read, so that 2.3M is the number nearest to 2300000 and not 2.3 times
// it.
#include "base/number.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// "1e-05" to "1e-5", "1e+06" to "1e6"
static void shorten_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (e == NULL)
        return;
    char *to = e + 1, *from = e + 1;
    if (*from == '-')
        *to++ = *from++;
    else if (*from == '+')
        from++;
    while (*from == '0' && from[1] != 0)
        from++;
    memmove(to, from, strlen(from) + 1);
}

void number_text(char out[NUMBER_TEXT], double value)
{
    if (!isfinite(value)) {
        snprintf(out, NUMBER_TEXT, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    if (fabs(value) < 1e15 && value == floor(value) && !(value == 0 && signbit(value))) {
        snprintf(out, NUMBER_TEXT, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) { // 17 digits always read back as the same double
        snprintf(out, NUMBER_TEXT, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    shorten_exponent(out);
}

// Decimal digits with at most one point, then nothing, an exponent or a suffix. Into: the same with the suffix as an
// exponent.
static bool plain_decimal(char into[64], const char *text)
{
    size_t length = strlen(text), digits = 0, points = 0, i = 0;
    if (length == 0 || length > 48)
        return false;
    if (text[i] == '+' || text[i] == '-')
        i++;
    for (; isdigit((unsigned char)text[i]) || text[i] == '.'; i++)
        *(text[i] == '.' ? &points : &digits) += 1;
    if (digits == 0 || points > 1)
        return false;
    static const char suffixes[] = "kMG";
    const char *suffix = text[i] != 0 ? strchr(suffixes, text[i]) : NULL;
    if (suffix != NULL && text[i + 1] == 0) {
        snprintf(into, 64, "%.*se%d", (int)i, text, 3 * (int)(suffix - suffixes + 1));
        return true;
    }
    snprintf(into, 64, "%s", text);
    if (text[i] == 0)
        return true;
    if (text[i] != 'e' && text[i] != 'E')
        return false;
    i += text[i + 1] == '+' || text[i + 1] == '-' ? 2 : 1;
    return text[i] != 0 && text[i + strspn(text + i, "0123456789")] == 0;
}

bool number_parse(double *out, const char *text)
{
    char decimal[64];
    if (!plain_decimal(decimal, text))
        return false;
    double value = strtod(decimal, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool integer_parse(int64_t *out, const char *text)
{
    char decimal[64], *end;
    if (!plain_decimal(decimal, text))
        return false;
    errno = 0;
    long long whole = strtoll(decimal, &end, 10);
    if (*end == 0 && errno == 0) {
        *out = whole;
        return true;
    }
    double value = strtod(decimal, NULL);
    if (*end == 0 || !(fabs(value) <= 0x1p53) || value != floor(value)) // beyond 2^53 a double may be another integer
        return false;
    *out = (int64_t)value;
    return true;
}
