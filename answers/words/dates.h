// Inside answers/: dates and times of day as people write them. The caller decides whether to read a text as one: 17:30
// may be a ratio, and 2020-03-05 a difference.
#ifndef ANSWERS_WORDS_DATES_H
#define ANSWERS_WORDS_DATES_H

#include "base/base.h"

// Year (0: not given), month and day of 2020-03-05, 2020/03/05, March 5, 2020, Mar 5, 5th of March 2020, 5-Mar-2020;
// with the weekday before it where it is the right one. Months begin with a capital. A day that is not in the calendar
// is no date, and neither is 03/05/2020, which is March or May.
bool date_read(int ymd[3], Text text);

// Minutes since midnight of 5:30 PM, 5 p.m., 05:30, 17:30, 17:30:00, noon. Without AM or PM both numbers have two
// digits: 3:4 is a ratio.
bool time_read(int *minutes, Text text);

#endif
