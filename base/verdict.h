// What a comparison says. Unknown: no rule covers it, and somebody else may be asked.
#ifndef BASE_VERDICT_H
#define BASE_VERDICT_H

typedef enum Verdict { VERDICT_UNKNOWN, VERDICT_DIFFERENT, VERDICT_EQUAL } Verdict;

#endif
