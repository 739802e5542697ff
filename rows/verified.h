// --verify: whether a row's own response answers its own reference, by the rules that rewards are given by (answers/verify.h),
// and which responses are then trained on. Of an answer in words rules know no more than that it is the same one; a judge is not
// asked here.
#ifndef ROWS_VERIFIED_H
#define ROWS_VERIFIED_H

#include "rows/records.h"

#define VERIFY_CHOICES "none|drop-wrong|best-of-k|all"
typedef enum Verify {
    VERIFY_NOT,
    VERIFY_DROP_WRONG, // a response is trained on if it is right
    VERIFY_BEST_OF_K,  // the first right one of a prompt
    VERIFY_ALL         // whatever it is, it is trained on: only counted
} Verify;

typedef enum Verified {
    VERIFIED_NOT, // nobody has looked, or there is no response
    VERIFIED_RIGHT,
    VERIFIED_WRONG,      // also one that gives no answer
    VERIFIED_UNKNOWN,    // no rule knows whether it is right
    VERIFIED_UNREADABLE, // the row has no reference, or one by which no rule can tell right from wrong
    VERIFIED_KINDS
} Verified;
extern const char *const VERIFIED_NAMES[VERIFIED_KINDS]; // "", "right", "wrong", "unknown", "unreadable"

// row: the record as JSON, whose options make it multiple choice; size 0: it has none.
Verified record_verify(const Record *record, Text row);

#endif
