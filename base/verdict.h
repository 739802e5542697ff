// The result of a comparison. Unknown: no rule covers it; a judge or grader may be asked.
#ifndef BASE_VERDICT_H
#define BASE_VERDICT_H

typedef enum Verdict { VERDICT_UNKNOWN, VERDICT_DIFFERENT, VERDICT_EQUAL } Verdict;

#endif
